import { type RefObject, useEffect, useState } from "react";
import type { LogListHandle } from "./LogList";
import { isGap, keyOf, type LogItem } from "./logStore";
import { indexAfter } from "./logView";

/** What to go to: a line by its id, or the lines of a request. */
export type LogTarget = { id: number } | { requestId: string };

/** Lines of a request may come a moment after its answer; nothing is waited for longer. */
const WAIT_MS = 5_000;

/**
 * Goes to a target once it is among the rows: a link is opened before the log has been read. A new object goes
 * there again. Answers what is marked.
 */
export function useTarget(
  target: LogTarget | null,
  rows: readonly LogItem[],
  list: RefObject<LogListHandle | null>,
): LogTarget | null {
  const [waiting, setWaiting] = useState<LogTarget | null>(null);
  useEffect(() => {
    setWaiting(target);
    if (target === null || "id" in target) return;
    const timer = setTimeout(() => setWaiting(null), WAIT_MS);
    return () => clearTimeout(timer);
  }, [target]);
  useEffect(() => {
    const row = waiting === null ? -1 : rowOf(rows, waiting);
    if (row < 0) return;
    list.current?.reveal(row);
    setWaiting(null);
  }, [waiting, rows, list]);
  return target;
}

export function rowOf(rows: readonly LogItem[], target: LogTarget): number {
  if ("requestId" in target) return rows.findIndex((row) => isMarked(row, target));
  const index = indexAfter(rows, target.id - 0.25);
  const row = rows[index];
  return row !== undefined && keyOf(row) === target.id ? index : -1;
}

export function isMarked(item: LogItem, target: LogTarget | null): boolean {
  if (target === null || isGap(item)) return false;
  return "id" in target ? item.id === target.id : item.requestId === target.requestId;
}
