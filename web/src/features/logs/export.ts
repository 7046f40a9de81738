import { plain } from "./ansi";
import { isGap, type LogItem } from "./logStore";

/** Lines as text, one a line: what copying and downloading give. */
export function asText(items: readonly LogItem[]): string {
  return items.map(lineText).join("\n");
}

export function lineText(item: LogItem): string {
  if (isGap(item)) return `… lines ${item.from} to ${item.to} are no longer kept …`;
  return `${item.timestamp} ${item.level} [${item.source}] ${plain(item.message)}`;
}
