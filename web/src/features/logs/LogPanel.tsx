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
import { useSearch } from "./useSearch";
import { type LogTarget, useTarget } from "./useTarget";

const LEVELS: readonly LogLevel[] = ["ERROR", "WARN", "INFO", "DEBUG"];

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
  const list = useRef<LogListHandle>(null);
  const input = useRef<HTMLInputElement>(null);

  const filter = useMemo<LogFilter>(() => ({ levels, source: null }), [levels]);
  const rows = useRows(snapshot.items, filter, snapshot.version);
  const search = useSearch(rows, list);

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

  return (
    <section
      aria-label="Logs"
      className={classes(css.panel, className)}
      onKeyDown={(event) => {
        const find = event.key === "f" && (event.ctrlKey || event.metaKey);
        if (!find || document.activeElement === input.current) return;
        event.preventDefault();
        input.current?.select();
        input.current?.focus();
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
        search={search}
        searchInput={input}
      />
      <LogList
        handle={list}
        rows={rows}
        wrap={wrap}
        time={time}
        query={search.query}
        current={search.current}
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
