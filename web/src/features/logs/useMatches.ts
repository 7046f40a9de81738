import { useEffect, useMemo, useRef, useState } from "react";
import type { LogItem } from "./logStore";
import { RegexSearch } from "./regexSearch";
import { matches, type SearchQuery } from "./search";

export interface Matches {
  /** Indices of the rows that match. */
  found: readonly number[];
  /** Why nothing was found, if not for want of a match. */
  problem: string | null;
}

const NOTHING: Matches = { found: [], problem: null };
const SEARCHING: Matches = { found: [], problem: "Searching" };

/** The rows that a query finds: text at once, regular expressions in a worker that is given up on in time. */
export function useMatches(rows: readonly LogItem[], query: SearchQuery): Matches {
  const plain = useMemo<Matches>(
    () => (query.regex ? NOTHING : { found: matches(rows, query), problem: null }),
    [rows, query],
  );
  const [byRegex, setByRegex] = useState({ query, matches: NOTHING });
  const search = useRef<RegexSearch | null>(null);
  useEffect(() => {
    if (!query.regex || query.text === "") return;
    const done = (matches: Matches) => setByRegex({ query, matches });
    if (!isRegex(query.text)) return done({ found: [], problem: "Not a regular expression" });
    const begun = new RegexSearch(query, done);
    search.current = begun;
    return () => {
      search.current = null;
      begun.stop();
    };
  }, [query]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another pattern is looked for at once.
  useEffect(() => search.current?.look(rows), [rows, query]);
  if (!query.regex) return plain;
  // What another pattern found says nothing of this one.
  return byRegex.query === query ? byRegex.matches : SEARCHING;
}

function isRegex(text: string): boolean {
  try {
    return new RegExp(text, "u") instanceof RegExp;
  } catch {
    return false;
  }
}
