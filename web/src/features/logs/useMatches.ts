import { useEffect, useMemo, useState } from "react";
import type { LogItem } from "./logStore";
import { matches, type SearchQuery, searchable } from "./search";
import type { RegexAnswer, RegexJob } from "./search.worker";

export interface Matches {
  /** Indices of the rows that match. */
  found: readonly number[];
  /** Why nothing was found, if not for want of a match. */
  problem: string | null;
}

const NOTHING: Matches = { found: [], problem: null };
const SEARCHING: Matches = { found: [], problem: "Searching" };
/** After the last key, and while lines stream in. */
const PAUSE_MS = 200;
const LIMIT_MS = 1_500;

/** The rows that a query finds: text at once, regular expressions in a worker that is given up on in time. */
export function useMatches(rows: readonly LogItem[], query: SearchQuery): Matches {
  const plain = useMemo<Matches>(
    () => (query.regex ? NOTHING : { found: matches(rows, query), problem: null }),
    [rows, query],
  );
  const [byRegex, setByRegex] = useState({ query, matches: NOTHING });
  useEffect(() => {
    if (!query.regex || query.text === "") return;
    const done = (matches: Matches) => setByRegex({ query, matches });
    if (!isRegex(query.text)) return done({ found: [], problem: "Not a regular expression" });
    return runRegex(rows, query, done);
  }, [rows, query]);
  if (!query.regex) return plain;
  // What another pattern found says nothing of this one.
  return byRegex.query === query ? byRegex.matches : SEARCHING;
}

/** Answers a function that gives the search up. */
function runRegex(
  rows: readonly LogItem[],
  query: SearchQuery,
  done: (matches: Matches) => void,
): () => void {
  let worker: Worker | null = null;
  let limit: ReturnType<typeof setTimeout> | undefined;
  const start = setTimeout(() => {
    worker = new Worker(new URL("./search.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<RegexAnswer>) => finish({ found: data, problem: null });
    worker.onerror = () => finish({ found: [], problem: "Not possible here" });
    const job: RegexJob = {
      pattern: query.text,
      caseSensitive: query.caseSensitive,
      lines: rows.map(searchable),
    };
    worker.postMessage(job);
    limit = setTimeout(() => finish({ found: [], problem: "Takes too long" }), LIMIT_MS);
  }, PAUSE_MS);
  const stop = () => {
    clearTimeout(start);
    clearTimeout(limit);
    worker?.terminate();
  };
  const finish = (matches: Matches) => {
    stop();
    done(matches);
  };
  return stop;
}

function isRegex(text: string): boolean {
  try {
    return new RegExp(text, "u") instanceof RegExp;
  } catch {
    return false;
  }
}
