// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { logLine } from "../../shared/testing/lines";
import type { LogItem } from "./logStore";
import type { RegexJob, RegexMessage } from "./search.worker";
import { useSearch } from "./useSearch";

const line = (id: number, message: string) => logLine(id, { message });
const ROWS = [line(1, "one"), line(2, "two"), line(3, "\u001b[31mthree\u001b[0m one")];

/** A browser's worker, as slow as a test wants it to be. */
class SlowWorker {
  static all: SlowWorker[] = [];
  static get newest(): SlowWorker {
    return SlowWorker.all.at(-1) as SlowWorker;
  }
  onmessage: (event: { data: RegexMessage }) => void = () => {};
  onerror: () => void = () => {};
  job: RegexJob | null = null;
  ended = false;

  constructor() {
    SlowWorker.all.push(this);
  }

  postMessage(job: RegexJob): void {
    this.job = job;
  }

  terminate(): void {
    this.ended = true;
  }
}

beforeEach(() => {
  SlowWorker.all = [];
  vi.useFakeTimers();
  vi.stubGlobal("Worker", SlowWorker);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function searching(text: string, regex: boolean, rows: readonly LogItem[] = ROWS) {
  const reveal = vi.fn();
  const list = { current: { reveal } };
  const hook = renderHook(({ rows }) => useSearch(rows, list), { initialProps: { rows } });
  act(() => hook.result.current.change({ text, regex, caseSensitive: false }));
  const say = (data: RegexMessage) => act(() => SlowWorker.newest.onmessage({ data }));
  return { ...hook, reveal, say, pass: (ms: number) => act(() => vi.advanceTimersByTime(ms)) };
}

test("text is found at once, and gone to round and round", () => {
  const { result, reveal } = searching("ONE", false);
  expect(result.current).toMatchObject({ found: 2, at: -1, current: null, problem: null });
  act(() => result.current.go(1));
  act(() => result.current.go(-1));
  expect(result.current).toMatchObject({ at: 1, current: 2 });
  expect(reveal.mock.calls).toEqual([[0], [2]]);
});

test("a match that comes after Enter is gone to, but not one that comes much later", () => {
  const { result, reveal, rerender, pass } = searching("one", false, []);
  act(() => result.current.go(1));
  rerender({ rows: ROWS });
  expect(reveal.mock.calls).toEqual([[0]]);
  act(() => result.current.change({ text: "four", regex: false, caseSensitive: false }));
  act(() => result.current.go(1));
  pass(6_000);
  rerender({ rows: [...ROWS, line(4, "four")] });
  expect(result.current).toMatchObject({ found: 1, at: -1 });
  expect(reveal).toHaveBeenCalledTimes(1);
});

test("a pattern is sought in a worker; its being loaded is not held against the pattern", () => {
  const { result, say, pass } = searching("one$", true);
  expect(result.current).toMatchObject({ found: 0, problem: "Searching" });
  pass(200);
  expect(SlowWorker.newest.job).toEqual({
    pattern: "one$",
    caseSensitive: false,
    lines: ["one", "two", "three one"],
  });
  pass(60_000);
  say("ready");
  say([0, 2]);
  expect(result.current).toMatchObject({ found: 2, problem: null });
  expect(SlowWorker.newest.ended).toBe(true);
});

test("a log that never rests is searched all the same", () => {
  const { result, rerender, say, pass } = searching("one", true);
  const rows = [...ROWS];
  for (let id = 4; id < 8; id++) {
    rows.push(line(id, "one more"));
    rerender({ rows: [...rows] });
    pass(150);
  }
  expect(SlowWorker.all).toHaveLength(1);
  say([0, 2]);
  expect(result.current.found).toBe(2);
  // What has come meanwhile is looked at next.
  pass(200);
  expect(SlowWorker.all).toHaveLength(2);
  expect(SlowWorker.newest.job?.lines).toHaveLength(7);
});

test("what takes too long, cannot be or is no pattern is said, and given up", () => {
  const { result, rerender, say, pass, unmount } = searching("^(a+)+b", true);
  pass(200);
  say("ready");
  pass(1_500);
  expect(result.current.problem).toBe("Takes too long");
  expect(SlowWorker.newest.ended).toBe(true);
  rerender({ rows: [...ROWS] });
  pass(1_000);
  expect(SlowWorker.all).toHaveLength(1);
  act(() => result.current.change({ text: "(", regex: true, caseSensitive: false }));
  expect(result.current.problem).toBe("Not a regular expression");
  act(() => result.current.change({ text: "b", regex: true, caseSensitive: false }));
  pass(200);
  act(() => SlowWorker.newest.onerror());
  expect(result.current.problem).toBe("Not possible here");
  act(() => result.current.change({ text: "c", regex: true, caseSensitive: false }));
  pass(200);
  unmount();
  expect(SlowWorker.newest.ended).toBe(true);
});
