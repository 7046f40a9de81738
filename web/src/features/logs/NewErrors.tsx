import { useEffect, useRef, useState } from "react";
import { plural } from "../../shared/lib/format";

const QUIET_MS = 3_000;

/** Tells assistive technology of new errors, politely and not more often than every few seconds. */
export function NewErrors({ count }: { count: number }) {
  const told = useRef(count);
  const [message, setMessage] = useState("");
  useEffect(() => {
    if (count < told.current) told.current = count;
    if (count === told.current) return;
    const timer = setTimeout(() => {
      setMessage(`${plural(count - told.current, "new error")} in the log`);
      told.current = count;
    }, QUIET_MS);
    return () => clearTimeout(timer);
  }, [count]);
  return (
    <p role="status" className="pv-sr-only">
      {message}
    </p>
  );
}
