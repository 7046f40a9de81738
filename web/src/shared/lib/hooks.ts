import { useCallback, useEffect, useState } from "react";

/** The time, again every `intervalMs`; not at all while `intervalMs` is null. */
export function useNow(intervalMs: number | null): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (intervalMs === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}

/** State that the browser remembers. A stored value that `accepts` refuses is forgotten. */
export function useRemembered<T>(
  key: string,
  initial: T,
  accepts: (value: unknown) => value is T,
): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => recall(key, accepts) ?? initial);
  const remember = useCallback(
    (next: T) => {
      setValue(next);
      try {
        localStorage.setItem(`previewd.${key}`, JSON.stringify(next));
      } catch {
        // Storage may be full or forbidden; the page works without memory.
      }
    },
    [key],
  );
  return [value, remember];
}

function recall<T>(key: string, accepts: (value: unknown) => value is T): T | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(`previewd.${key}`) ?? "null");
    return accepts(stored) ? stored : null;
  } catch {
    return null;
  }
}

export const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
export const isNumber = (value: unknown): value is number => typeof value === "number";

/** Follows a media query. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const update = () => setMatches(media.matches);
    update();
    media.addEventListener("change", update);
    return () => media.removeEventListener("change", update);
  }, [query]);
  return matches;
}
