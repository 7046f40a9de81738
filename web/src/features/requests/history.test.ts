// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import type { ProxyResponse } from "../../api/types";
import { blankDraft, row } from "./draft";
import { HISTORY, type HistoryEntry, historyItems, keep, recall, remember } from "./history";
import type { Exchange } from "./useSend";

afterEach(() => {
  vi.restoreAllMocks();
  sessionStorage.clear();
});

const answered = (data: unknown, headers: Record<string, string> = {}, requestId = "r"): Exchange => ({
  state: "answered",
  request: { method: "POST", path: "/login" },
  response: { statusCode: 200, durationMs: 1, requestId, data, headers } as ProxyResponse,
  at: 1,
});

test("no more than the newest are remembered, and of large answers only that they came", () => {
  let entries: HistoryEntry[] = [];
  for (let at = 0; at < HISTORY + 5; at++) entries = remember(entries, blankDraft(), answered("ok"), at);
  expect([entries.length, entries[0]?.at]).toEqual([HISTORY, HISTORY + 4]);
  expect(entries[0]?.exchange).toBeDefined();
  expect(remember([], blankDraft(), answered("x".repeat(300_000)), 1)[0]?.exchange).toBeUndefined();
  const large = answered({ a: 1 }, { "content-length": "300000" });
  expect(remember([], blankDraft(), large, 1)[0]).toMatchObject({ statusCode: 200, requestId: "r" });
  expect(remember(entries, blankDraft(), { state: "idle" }, 1)).toEqual(entries);
});

test("what is kept for the session has no password, token or file in it", () => {
  const file = { name: "a.png", type: "image/png", base64: "SECRETFILE", size: 4 };
  const draft = {
    ...blankDraft(),
    auth: { kind: "bearer" as const, token: "SECRETTOKEN" },
    body: {
      ...{ mode: "multipart" as const, text: "", file },
      form: [row("user", "ada"), row("password", "SECRETWORD"), row("cover", "", { file })],
    },
  };
  keep("g", remember([], draft, answered({ token: "SECRETANSWER" }), 1));
  const stored = JSON.stringify({ ...sessionStorage });
  expect(stored).toContain("ada");
  expect(stored).not.toContain("SECRET");
  expect(recall("g")).toMatchObject([{ statusCode: 200, request: { method: "POST", path: "/login" } }]);
});

test("storage that is full, forbidden or not ours is no obstacle", () => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  expect(() => keep("g", [])).not.toThrow();
  vi.restoreAllMocks();
  sessionStorage.setItem("previewd.history.g", "{broken");
  expect(recall("g")).toEqual([]);
  sessionStorage.setItem("previewd.history.g", '"text"');
  expect(recall("g")).toEqual([]);
});

test("what was sent from here and what the server remembers are one list, newest first", () => {
  const here = remember([], blankDraft(), answered("a", {}, "r1"), Date.parse("2026-01-01T00:00:01Z"));
  const both = remember(here, blankDraft(), answered("b", {}, "r2"), Date.parse("2026-01-01T00:00:02Z"));
  const kept = (requestId: string, second: number) =>
    ({
      ...{ id: second, requestId, timestamp: `2026-01-01T00:00:0${second}Z`, method: "GET", path: "/" },
      ...{ statusCode: 200, durationMs: 1 },
    }) as Parameters<typeof historyItems>[1][number];
  const items = historyItems(both, [kept("r3", 3), kept("r1", 1)]);
  expect(items.map(({ entry, kept }) => [entry?.requestId, kept?.requestId])).toEqual([
    [undefined, "r3"],
    ["r2", undefined],
    ["r1", "r1"],
  ]);
});
