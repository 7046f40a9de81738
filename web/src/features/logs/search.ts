import { plain } from "./ansi";
import { isGap, type LogItem } from "./logStore";
import { shownText } from "./shownText";

export interface SearchQuery {
  text: string;
  caseSensitive: boolean;
  /** The text is a regular expression. */
  regex: boolean;
}

/** What of a row is searched: the text that it shows. */
export const searchable = (row: LogItem): string => (isGap(row) ? "" : plain(shownText(row)));

/** Indices of the rows that contain the text. */
export function matches(rows: readonly LogItem[], query: SearchQuery): number[] {
  if (query.text === "") return [];
  const found: number[] = [];
  const needle = query.caseSensitive ? query.text : query.text.toLowerCase();
  rows.forEach((row, index) => {
    const text = searchable(row);
    if ((query.caseSensitive ? text : text.toLowerCase()).includes(needle)) found.push(index);
  });
  return found;
}

/** The match to go to from `current` (an index among matches, -1 for none), round and round. */
export function step(current: number, count: number, direction: 1 | -1): number {
  if (count === 0) return -1;
  if (current < 0) return direction === 1 ? 0 : count - 1;
  return (current + direction + count) % count;
}
