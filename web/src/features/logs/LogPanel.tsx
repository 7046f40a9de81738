import {
  type ReactNode,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { LogLevel } from "../../api/types";
import { isBoolean, useRemembered } from "../../shared/lib/hooks";
import { classes } from "../../shared/ui/Button";
import { LogList, type LogListHandle } from "./LogList";
import { LogToolbar } from "./LogToolbar";
import type { LogSession } from "./logSession";
import css from "./logs.module.css";
import { advanceRows, type LogFilter, type LogRows } from "./logView";
import { NewErrors } from "./NewErrors";
import { type SearchQuery, step } from "./search";
import { useMatches } from "./useMatches";
import { type LogTarget, useTarget } from "./useTarget";

export const LEVELS: readonly LogLevel[] = ["ERROR", "WARN", "INFO", "DEBUG"];

export interface LogPanelProps {
  session: LogSession;
  /** Shown while there is no line. */
  empty: string;
  /** A line to go to, by its id. A new object goes there again. */
  target?: LogTarget | null;
  className?: string;
  /** Opens the request that a line belongs to. */
  onRequest?: (requestId: string) => void;
  /** More buttons for the toolbar. */
  tools?: ReactNode;
}

/** The terminal: toolbar, search and the list of a preview's log. */
export function LogPanel({ session, empty, target = null, className, onRequest, tools }: LogPanelProps) {
  const snapshot = useSyncExternalStore(session.store.subscribe, session.store.getSnapshot);
  const [levels, setLevels] = useState<ReadonlySet<LogLevel>>(new Set(LEVELS));
  const [wrap, setWrap] = useRemembered("logs.wrap", true, isBoolean);
  const [time, setTime] = useRemembered("logs.time", true, isBoolean);
  const [query, setQuery] = useState<SearchQuery>({ text: "", caseSensitive: false, regex: false });
  const [at, setAt] = useState(-1);
  const list = useRef<LogListHandle>(null);
  const search = useRef<HTMLInputElement>(null);

  const filter = useMemo<LogFilter>(() => ({ levels, source: null }), [levels]);
  const rows = useRows(snapshot.items, filter, snapshot.version);
  const { found, problem } = useMatches(rows, query);
  const current = found[at] ?? null;

  const [context, setContext] = useState<LogTarget | null>(null);
  const marked = useTarget(context ?? target, rows, list);
  useEffect(() => {
    setContext(null);
    if (target) setLevels(new Set(LEVELS));
  }, [target]);
  const showInContext = useCallback((id: number) => {
    setLevels(new Set(LEVELS));
    setContext({ id });
  }, []);

  const goToMatch = (direction: 1 | -1) => {
    const next = step(at, found.length, direction);
    setAt(next);
    const row = found[next];
    if (row !== undefined) list.current?.reveal(row);
  };

  return (
    <section
      aria-label="Logs"
      className={classes(css.panel, className)}
      onKeyDown={(event) => {
        const find = event.key === "f" && (event.ctrlKey || event.metaKey);
        if (!find || document.activeElement === search.current) return;
        event.preventDefault();
        search.current?.select();
        search.current?.focus();
      }}
    >
      <LogToolbar
        session={session}
        snapshot={snapshot}
        rows={rows}
        levels={levels}
        onLevels={setLevels}
        wrap={wrap}
        onWrap={setWrap}
        time={time}
        onTime={setTime}
        tools={tools}
        search={{ inputRef: search, query, problem, found: found.length, at, go: goToMatch }}
        onSearch={(next) => {
          setQuery(next);
          setAt(-1);
        }}
      />
      <LogList
        handle={list}
        rows={rows}
        wrap={wrap}
        time={time}
        query={query}
        current={current}
        target={marked}
        onContext={levels.size < LEVELS.length ? showInContext : undefined}
        onRequest={onRequest}
        empty={snapshot.lines === 0 ? empty : "No line has these levels."}
      />
      <NewErrors count={snapshot.counts.ERROR} />
    </section>
  );
}

function useRows(
  items: LogRows["rows"] | readonly LogRows["rows"][number][],
  filter: LogFilter,
  version: number,
) {
  const known = useRef<LogRows | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: items grow in place; the version tells.
  return useMemo(() => {
    known.current = advanceRows(known.current, items, filter);
    return known.current.rows;
  }, [items, filter, version]);
}
