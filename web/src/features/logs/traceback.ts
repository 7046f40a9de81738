import { plain } from "./ansi";

/** How a message of several lines is told in one: its first line, the last that says what happened. */
interface Summary {
  head: string;
  /** The exception's own line, for a traceback. */
  tail: string | null;
  /** Lines in all. */
  lines: number;
}

const TRACEBACK = /Traceback \(most recent call last\)|^\s*\+ Exception Group Traceback/m;

export function summarize(message: string): Summary {
  const text = plain(message).replace(/\n+$/, "");
  const lines = text.split("\n");
  const head = lines[0] ?? "";
  const last = lines.findLast((line) => line.trim() !== "" && !line.startsWith(" "));
  const tail = TRACEBACK.test(text) && last !== undefined && last !== head ? last : null;
  return { head, tail, lines: lines.length };
}
