import { type RefObject, useEffect, useState } from "react";
import type { LogListHandle } from "./LogList";
import type { LogItem } from "./logStore";
import { type SearchQuery, step } from "./search";
import { useMatches } from "./useMatches";

/** Enter may come before what it is for: the log is still being read, or a regular expression still sought. */
const WAIT_MS = 5_000;

const NO_QUERY: SearchQuery = { text: "", caseSensitive: false, regex: false };

type Direction = 1 | -1;

export interface LogSearch {
  query: SearchQuery;
  /** How many rows match. */
  found: number;
  /** Why nothing was found, if not for want of a match. */
  problem: string | null;
  /** Which of the matches was gone to, -1 for none. */
  at: number;
  /** Its row. */
  current: number | null;
  change: (query: SearchQuery) => void;
  /** Goes to the next match or the one before; where there is none yet, to the first that comes soon. */
  go: (direction: Direction) => void;
}

/** The search in a log's rows and the match that the list was scrolled to. */
export function useSearch(rows: readonly LogItem[], list: RefObject<LogListHandle | null>): LogSearch {
  const [query, setQuery] = useState(NO_QUERY);
  const [at, setAt] = useState(-1);
  const [waiting, setWaiting] = useState<Direction | null>(null);
  const { found, problem } = useMatches(rows, query);

  const go = (direction: Direction) => {
    const next = step(at, found.length, direction);
    const row = found[next];
    setAt(next);
    setWaiting(row === undefined ? direction : null);
    if (row !== undefined) list.current?.reveal(row);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: only new matches end the wait.
  useEffect(() => {
    if (waiting !== null && found.length > 0) go(waiting);
  }, [found, waiting]);
  useEffect(() => {
    if (waiting === null) return;
    const timer = setTimeout(() => setWaiting(null), WAIT_MS);
    return () => clearTimeout(timer);
  }, [waiting]);

  const change = (next: SearchQuery) => {
    setQuery(next);
    setAt(-1);
    setWaiting(null);
  };
  return { query, found: found.length, problem, at, current: found[at] ?? null, change, go };
}
