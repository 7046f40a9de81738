import { type RefObject, useEffect, useRef } from "react";
import type { LogListHandle } from "./LogList";
import { isGap, keyOf, type LogItem } from "./logStore";
import { indexAfter } from "./logView";

/** What to go to: a line by its id, or the lines of a request. */
export type LogTarget = { id: number } | { requestId: string };

/** The first line of a request may come a moment after its answer; nothing is waited for longer. */
const WAIT_MS = 5_000;
/** Its lines come one after another, and all of them are to be seen. */
const MORE_MS = 1_000;

/** What is still to be gone to. */
interface Waiting {
  target: LogTarget;
  until: number;
  /** Its lines that were there when it was last gone to. */
  lines: number;
}

/**
 * Goes to a target once it is among the rows: a link is opened before the log has been read. A new object goes
 * there again. Answers what is marked.
 */
export function useTarget(
  target: LogTarget | null,
  rows: readonly LogItem[],
  list: RefObject<LogListHandle | null>,
): LogTarget | null {
  const waiting = useRef<Waiting | null>(null);
  useEffect(() => {
    const until = target !== null && "id" in target ? Number.POSITIVE_INFINITY : Date.now() + WAIT_MS;
    waiting.current = target && { target, until, lines: 0 };
  }, [target]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another target is looked for at once.
  useEffect(() => {
    const now = waiting.current;
    if (now === null || Date.now() > now.until) return;
    const lines = linesOf(rows, now.target);
    if (lines <= now.lines) return;
    list.current?.reveal(rowOf(rows, now.target));
    if ("id" in now.target) waiting.current = null;
    else if (now.lines === 0) now.until = Date.now() + MORE_MS;
    now.lines = lines;
  }, [target, rows, list]);
  return target;
}

function linesOf(rows: readonly LogItem[], target: LogTarget): number {
  if ("id" in target) return rowOf(rows, target) < 0 ? 0 : 1;
  return rows.reduce((count, row) => (isMarked(row, target) ? count + 1 : count), 0);
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
