// @vitest-environment jsdom
import { renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { logLine } from "../../shared/testing/lines";
import type { LogItem } from "./logStore";
import { isMarked, type LogTarget, rowOf, useTarget } from "./useTarget";

afterEach(() => {
  vi.useRealTimers();
});

const line = (id: number, requestId?: string) => logLine(id, requestId === undefined ? {} : { requestId });
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

function going(target: LogTarget | null, first: LogItem[]) {
  const reveal = vi.fn();
  const list = { current: { reveal } };
  const { rerender } = renderHook(({ target, rows }) => useTarget(target, rows, list), {
    initialProps: { target, rows: first },
  });
  const revealed = () => reveal.mock.calls.flat();
  return { revealed, come: (rows: LogItem[], to = target) => rerender({ target: to, rows }) };
}

test("a line is gone to once it has been read, and again when it is asked for again", () => {
  const { revealed, come } = going({ id: 7 }, []);
  come([line(3)]);
  expect(revealed()).toEqual([]);
  come(rows);
  come([...rows, line(10)]);
  expect(revealed()).toEqual([2]);
  come(rows, { id: 9 });
  expect(revealed()).toEqual([2, 4]);
});

test("all lines of a request are brought into view, one after another, but not for ever", () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 0 });
  const { revealed, come } = going({ requestId: "r1" }, []);
  come([line(3), line(7, "r1")]);
  come([line(3), line(7, "r1"), line(8, "r2")]);
  expect(revealed()).toEqual([1]);
  come([line(3), line(7, "r1"), line(8, "r2"), line(9, "r1")]);
  expect(revealed()).toEqual([1, 1]);
  // The reader may be elsewhere by now.
  vi.setSystemTime(3_000);
  come([line(3), line(7, "r1"), line(8, "r2"), line(9, "r1"), line(10, "r1")]);
  expect(revealed()).toEqual([1, 1]);

  const late = going({ requestId: "r1" }, []);
  vi.setSystemTime(60_000);
  late.come(rows);
  expect(late.revealed()).toEqual([]);
});
