import Anser from "anser";

/** A run of text with the classes of its colour and weight (`ansi-red`, `ansi-bold`). */
interface AnsiRun {
  text: string;
  className: string;
}

const COLOR_NAMES = new Set(
  ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"].flatMap((name) => [
    `ansi-${name}`,
    `ansi-bright-${name}`,
  ]),
);
const DECORATIONS = new Set(["bold", "dim", "italic", "underline", "strikethrough"]);

// The server passes colours (SGR) on and nothing else; what is left of other control characters,
// and the marks that reorder text, are shown as a replacement so that a line reads as it is stored.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters meant.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Splits a line by its colours. Only the palette's own colours count; others are shown plain. */
export function ansiRuns(text: string): AnsiRun[] {
  const clean = text.replace(INVISIBLE, "\ufffd");
  if (!clean.includes("\u001b")) return [{ text: clean, className: "" }];
  return Anser.ansiToJson(clean, { use_classes: true, remove_empty: true }).map((run) => ({
    text: run.content,
    className: classes(run.fg, run.decorations),
  }));
}

/** The line without its colours, for searching and copying. */
export function plain(text: string): string {
  return text.includes("\u001b") ? Anser.ansiToText(text) : text;
}

function classes(color: string | null, decorations: readonly string[]): string {
  const names = decorations.filter((name) => DECORATIONS.has(name)).map((name) => `ansi-${name}`);
  if (color !== null && COLOR_NAMES.has(color)) names.unshift(color);
  return names.join(" ");
}
