import { expect, test } from "vitest";
import { logLine } from "../../shared/testing/lines";
import { ansiRuns, plain } from "./ansi";
import { asText } from "./export";
import type { LogItem } from "./logStore";
import { matches, step } from "./search";
import { shownText } from "./shownText";
import { summarize } from "./traceback";

const line = (id: number, message: string) => logLine(id, { message });

test("colours become classes, and only those of the palette", () => {
  expect(ansiRuns("a\u001b[31mred\u001b[0m b")).toEqual([
    { text: "a", className: "" },
    { text: "red", className: "ansi-red" },
    { text: " b", className: "" },
  ]);
  expect(ansiRuns("\u001b[38;2;1;2;3mtrue\u001b[0m")[0]).toEqual({ text: "true", className: "" });
  expect(ansiRuns("\u001b[1;92mok\u001b[0m")[0]?.className).toContain("ansi-bold");
});

test("markup stays text, and marks that reorder or hide text are shown", () => {
  expect(ansiRuns("<img src=x onerror=alert(1)>")[0]?.text).toBe("<img src=x onerror=alert(1)>");
  expect(ansiRuns("user\u202egnp.exe\u0007")[0]?.text).toBe("user\ufffdgnp.exe\ufffd");
});

test("copying gives plain lines", () => {
  const items: LogItem[] = [line(1, "\u001b[32mok\u001b[0m"), { from: 2, to: 4 }];
  expect(asText(items).split("\n")).toEqual([
    "2026-01-01T00:00:00.000Z INFO [app] ok",
    "… lines 2 to 4 are no longer kept …",
  ]);
  expect(plain("\u001b[1mx\u001b[0m")).toBe("x");
});

test("a traceback is told by its exception", () => {
  const text = "Traceback (most recent call last):\n  File \"x.py\", line 1\n    boom()\nKeyError: 'id'\n";
  expect(summarize(text)).toEqual({
    head: "Traceback (most recent call last):",
    tail: "KeyError: 'id'",
    lines: 4,
  });
  expect(summarize("SELECT 1\nFROM books").tail).toBeNull();
});

test("finds lines by text, with or without case, colours aside", () => {
  const rows = [
    line(1, "Alpha"),
    line(2, "be\u001b[31mta\u001b[0m"),
    line(3, "alphabet"),
    { from: 4, to: 5 },
  ];
  expect(matches(rows, { text: "alpha", caseSensitive: false, regex: false })).toEqual([0, 2]);
  expect(matches(rows, { text: "alpha", caseSensitive: true, regex: false })).toEqual([2]);
  expect(matches(rows, { text: "beta", caseSensitive: false, regex: false })).toEqual([1]);
  expect(matches(rows, { text: "", caseSensitive: false, regex: false })).toEqual([]);
});

test("goes round the matches in both directions", () => {
  expect(step(-1, 3, 1)).toBe(0);
  expect(step(2, 3, 1)).toBe(0);
  expect(step(-1, 3, -1)).toBe(2);
  expect(step(0, 0, 1)).toBe(-1);
});

test("a level at the head of a message is shown once, in its column", () => {
  expect(shownText({ message: "INFO:     Started server process [7]" })).toBe("Started server process [7]");
  expect(shownText({ message: "\u001b[32mINFO\u001b[0m:     ready" })).toBe("ready");
  expect(shownText({ message: "INFORMATION: kept" })).toBe("INFORMATION: kept");
  expect(shownText({ message: "see INFO: kept" })).toBe("see INFO: kept");
});
