import { expect, test } from "vitest";
import type { LogItem } from "./logStore";
import { isMarked, rowOf } from "./useTarget";

const line = (id: number, requestId?: string): LogItem => ({
  id,
  level: "INFO",
  source: "app",
  message: "m",
  timestamp: "2026-01-01T00:00:00Z",
  stream: "stdout",
  ...(requestId === undefined ? {} : { requestId }),
});
const rows: LogItem[] = [line(3), { from: 4, to: 6 }, line(7, "r1"), line(8, "r1"), line(9, "r2")];

test("a line is found by its id, or not at all", () => {
  expect(rowOf(rows, { id: 7 })).toBe(2);
  expect(rowOf(rows, { id: 5 })).toBe(-1);
  expect(rowOf(rows, { id: 99 })).toBe(-1);
  expect(rowOf([], { id: 1 })).toBe(-1);
});

test("a request is found at its first line, and all its lines are marked", () => {
  const target = { requestId: "r1" };
  expect(rowOf(rows, target)).toBe(2);
  expect(rows.map((row) => isMarked(row, target))).toEqual([false, false, true, true, false]);
  expect(rows.some((row) => isMarked(row, null))).toBe(false);
});
