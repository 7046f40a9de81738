import { expect, test, vi } from "vitest";
import type { LogLevel } from "../../api/types";
import { logLine } from "../../shared/testing/lines";
import { type LogItem, LogStore } from "./logStore";
import { advanceRows, type LogFilter } from "./logView";

const line = (id: number, level: LogLevel = "INFO", source = "app") => logLine(id, { level, source });
const ids = (items: readonly LogItem[]) => items.map((item) => ("id" in item ? item.id : "gap"));

test("listeners hear once of many lines", () => {
  let flush = () => {};
  const store = new LogStore(100, (run) => {
    flush = run;
  });
  const listener = vi.fn();
  store.subscribe(listener);
  for (let id = 1; id <= 50; id++) store.push(line(id));
  expect(listener).not.toHaveBeenCalled();
  flush();
  expect(listener).toHaveBeenCalledOnce();
  expect(store.getSnapshot().lines).toBe(50);
});

test("keeps the newest lines, and counts what it dropped", () => {
  const store = new LogStore(1_000, (run) => run());
  for (let id = 1; id <= 5_000; id++) store.push(line(id, id % 10 === 0 ? "ERROR" : "INFO"));
  const { items, lines, dropped, counts } = store.getSnapshot();
  expect(lines + dropped).toBe(5_000);
  expect(lines).toBeLessThanOrEqual(3_000);
  expect(counts.ERROR).toBe(items.filter((item) => "level" in item && item.level === "ERROR").length);
  expect(ids(items.slice(-1))).toEqual([5_000]);
});

test("clearing forgets lines and counts", () => {
  const store = new LogStore(10, (run) => run());
  store.push(line(1, "ERROR"));
  store.clear();
  expect(store.getSnapshot()).toMatchObject({ lines: 0, dropped: 0, items: [], counts: { ERROR: 0 } });
});

const all: LogFilter = { levels: new Set<LogLevel>(["ERROR", "WARN", "INFO", "DEBUG"]), source: null };
const errors: LogFilter = { levels: new Set<LogLevel>(["ERROR"]), source: null };

test("rows follow the items: appended, trimmed, cleared, filtered anew", () => {
  const items = [line(1), line(2, "ERROR"), { from: 3, to: 5 }, line(6)];
  let rows = advanceRows(null, items, all);
  expect(ids(rows.rows)).toEqual([1, 2, "gap", 6]);
  rows = advanceRows(rows, [...items, line(7, "ERROR")], all);
  expect(ids(rows.rows)).toEqual([1, 2, "gap", 6, 7]);
  rows = advanceRows(rows, [...items.slice(2), line(7, "ERROR"), line(8)], all);
  expect(ids(rows.rows)).toEqual(["gap", 6, 7, 8]);
  rows = advanceRows(rows, [...items, line(7, "ERROR")], errors);
  expect(ids(rows.rows)).toEqual([2, "gap", 7]);
  expect(advanceRows(rows, [], errors).rows).toEqual([]);
});

test("another preview's log, which counts from 1 again, replaces the rows", () => {
  const before = advanceRows(null, [line(1), line(2), line(3)], all);
  expect(ids(advanceRows(before, [line(1)], all).rows)).toEqual([1]);
});

test("only the sources asked for are shown", () => {
  const filter: LogFilter = { ...all, source: "request" };
  expect(ids(advanceRows(null, [line(1), line(2, "INFO", "request")], filter).rows)).toEqual([2]);
});
