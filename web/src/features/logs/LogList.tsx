import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import {
  type Ref,
  type RefObject,
  useEffect,
  useImperativeHandle,
  useReducer,
  useRef,
  useState,
} from "react";
import { plural } from "../../shared/lib/format";
import { Button, classes } from "../../shared/ui/Button";
import { FOLLOWING, follow } from "./follow";
import { LogRow } from "./LogRow";
import { keyOf, type LogItem } from "./logStore";
import css from "./logs.module.css";
import { indexAfter } from "./logView";
import type { SearchQuery } from "./search";
import { isMarked, type LogTarget } from "./useTarget";

const LINE_PX = 20;
const END_PX = 24;

export interface LogListHandle {
  /** Scrolls to a row of the list and stops following. */
  reveal(row: number): void;
}

export interface LogListProps {
  rows: readonly LogItem[];
  wrap: boolean;
  time: boolean;
  query: SearchQuery;
  /** Row of the current match. */
  current: number | null;
  empty: string;
  /** What was linked to: its rows are marked. */
  target: LogTarget | null;
  /** Goes to a line among all lines; there is none where all lines are shown. */
  onContext?: (id: number) => void;
  onRequest?: (requestId: string) => void;
  handle: Ref<LogListHandle>;
}

export function LogList(props: LogListProps) {
  const { rows, wrap, time, query, current, empty, target, onContext, onRequest, handle } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [state, dispatch] = useReducer(follow, FOLLOWING);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const height = useHeight(scroller);
  const virtual = useVirtualizer({
    // A list without a height has no end to follow, and would look for it for ever.
    enabled: height > 0,
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    getItemKey: (index) => keyAt(rows, index),
    overscan: 12,
    anchorTo: "end",
    followOnAppend: state.following,
    scrollEndThreshold: END_PX,
  });
  useAppended(rows, (lines) => dispatch({ type: "appended", lines }));

  /** The reader's own movement; where all lines are seen there is none. */
  const towardsHead = () => {
    const { scrollHeight = 0, clientHeight = 0 } = scroller.current ?? {};
    if (scrollHeight > clientHeight) dispatch({ type: "towardsHead" });
  };
  const resume = () => {
    dispatch({ type: "resume" });
    virtual.scrollToIndex(rows.length - 1, { align: "end" });
  };
  // What is hidden cannot scroll: it does once it is shown, as on a phone that goes from a request to its lines.
  const pending = useRef<number | null>(null);
  const reveal = (row: number) => {
    dispatch({ type: "towardsHead" });
    if (scroller.current?.clientHeight) virtual.scrollToIndex(row, { align: "center" });
    else pending.current = row;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a change of height shows it.
  useEffect(() => {
    if (height === 0 || pending.current === null) return;
    virtual.scrollToIndex(pending.current, { align: "center" });
    pending.current = null;
  }, [height]);
  useImperativeHandle(handle, () => ({ reveal }));
  // biome-ignore lint/correctness/useExhaustiveDependencies: stays at the end when the layout changes.
  useEffect(() => {
    if (state.following && rows.length > 0) virtual.scrollToIndex(rows.length - 1, { align: "end" });
  }, [wrap, time, height, rows.length === 0]);

  return (
    <div className={css.listFrame}>
      <div
        ref={scroller}
        className={classes(css.scroller, wrap && css.wrap)}
        role="log"
        aria-live="off"
        aria-label="Log lines"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
        tabIndex={0}
        onWheel={(event) => (event.deltaY < 0 ? towardsHead() : dispatch(towardsTail()))}
        onTouchMove={towardsHead}
        onTouchEnd={() => dispatch(towardsTail())}
        onPointerDown={(event) => event.target === scroller.current && towardsHead()}
        onPointerUp={() => dispatch(towardsTail())}
        onKeyDown={(event) => {
          if (event.key === "End") resume();
          else if (["PageUp", "ArrowUp", "Home"].includes(event.key)) towardsHead();
          else if (["PageDown", "ArrowDown", " "].includes(event.key)) dispatch(towardsTail());
        }}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          const atEnd = scrollHeight - scrollTop - clientHeight < END_PX;
          dispatch({ type: "scrolled", atEnd, now: Date.now() });
        }}
      >
        {rows.length === 0 ? (
          <p className={css.empty}>{empty}</p>
        ) : (
          <div className={css.canvas} style={{ height: virtual.getTotalSize() }}>
            <div
              className={css.window}
              style={{ transform: `translateY(${virtual.getVirtualItems()[0]?.start ?? 0}px)` }}
            >
              {virtual.getVirtualItems().map((item) => {
                const row = rows[item.index];
                if (row === undefined) return null;
                const key = keyOf(row);
                return (
                  <LogRow
                    key={key}
                    rowRef={virtual.measureElement}
                    index={item.index}
                    item={row}
                    time={time}
                    query={query}
                    current={item.index === current}
                    marked={isMarked(row, target)}
                    open={open.has(key)}
                    onContext={onContext}
                    onRequest={onRequest}
                    onToggle={() => setOpen((before) => toggled(before, key))}
                  />
                );
              })}
            </div>
          </div>
        )}
      </div>
      {!state.following && rows.length > 0 && (
        <Button
          className={css.resume}
          size="small"
          look="primary"
          icon={<ArrowDown size={14} />}
          onClick={resume}
        >
          {state.missed > 0 ? plural(state.missed, "new line") : "Follow"}
        </Button>
      )}
    </div>
  );
}

/**
 * The element's height, 0 where a host hides it behind a tab of its own. Read at each render, for the
 * lines that come before the observer has told.
 */
function useHeight(element: RefObject<HTMLElement | null>): number {
  const [, look] = useReducer((looks: number) => looks + 1, 0);
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(look);
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return element.current?.clientHeight ?? 1;
}

const towardsTail = () => ({ type: "towardsTail", now: Date.now() }) as const;

function keyAt(rows: readonly LogItem[], index: number): number {
  const row = rows[index];
  return row === undefined ? -1 : keyOf(row);
}

function toggled(keys: ReadonlySet<number>, key: number): ReadonlySet<number> {
  const next = new Set(keys);
  if (!next.delete(key)) next.add(key);
  return next;
}

/** Calls back with the number of rows that came at the end. */
function useAppended(rows: readonly LogItem[], onAppended: (lines: number) => void) {
  const newest = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only new rows matter.
  useEffect(() => {
    const last = rows[rows.length - 1];
    const key = last === undefined ? 0 : keyOf(last);
    if (key > newest.current) onAppended(rows.length - indexAfter(rows, newest.current));
    newest.current = key;
  }, [rows]);
}
