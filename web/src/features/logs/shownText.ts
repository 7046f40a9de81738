import type { LogLine } from "../../api/types";

/** A level at the head of a message, as Python's and uvicorn's formatters write it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours around the level begin with one.
const LEVEL = /^((?:\u001b\[[\d;]*m)*)(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL)((?:\u001b\[[\d;]*m)*):[ \t]+/;

/** A line's text without the level at its head: the row shows the level in a column of its own. */
export function shownText({ message }: Pick<LogLine, "message">): string {
  return message.replace(LEVEL, "");
}
