import type { LogLevel } from "../../api/types";
import { isGap, keyOf, type LogItem } from "./logStore";

export interface LogFilter {
  /** Levels shown. */
  levels: ReadonlySet<LogLevel>;
  /** Sources shown; `null` for all. */
  source: string | null;
}

/** The items that a filter leaves, kept up to date without looking at old items again. */
export interface LogRows {
  filter: LogFilter;
  rows: LogItem[];
  /** Key of the newest item that was looked at. */
  upTo: number;
}

/** Brings `previous` up to date with `items`: appends what is new, drops what was trimmed, or starts afresh. */
export function advanceRows(previous: LogRows | null, items: readonly LogItem[], filter: LogFilter): LogRows {
  const first = items[0];
  const fresh = previous === null || previous.filter !== filter || first === undefined;
  if (fresh || previous.upTo < keyOf(first)) return append([], items, 0, filter);
  const newest = items[items.length - 1];
  if (newest === undefined || keyOf(newest) < previous.upTo) return append([], items, 0, filter);
  const rows = withoutBefore(previous.rows, keyOf(first));
  return append(rows, items, indexAfter(items, previous.upTo), filter);
}

function append(kept: LogItem[], items: readonly LogItem[], from: number, filter: LogFilter): LogRows {
  const rows = kept.slice();
  for (let index = from; index < items.length; index++) {
    const item = items[index];
    if (item !== undefined && shows(filter, item)) rows.push(item);
  }
  const newest = items[items.length - 1];
  return { filter, rows, upTo: newest === undefined ? 0 : keyOf(newest) };
}

function shows(filter: LogFilter, item: LogItem): boolean {
  if (isGap(item)) return true;
  return filter.levels.has(item.level) && (filter.source === null || item.source === filter.source);
}

function withoutBefore(rows: LogItem[], key: number): LogItem[] {
  return rows[0] === undefined || keyOf(rows[0]) >= key ? rows : rows.slice(indexAfter(rows, key - 0.25));
}

/** Index of the first item whose key is greater than `key` (keys are in order). */
export function indexAfter(items: readonly LogItem[], key: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = items[middle];
    if (item !== undefined && keyOf(item) > key) high = middle;
    else low = middle + 1;
  }
  return low;
}
