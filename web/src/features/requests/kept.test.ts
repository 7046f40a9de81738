import { expect, test } from "vitest";
import type { Endpoint, KeptExchange } from "../../api/types";
import { blankDraft } from "./draft";
import { type HistoryEntry, historyItems } from "./history";
import { asEndpoint, draftOf, exchangeOf } from "./kept";

const kept = (more: Partial<KeptExchange>): KeptExchange => ({
  ...{ id: 7, requestId: "req_7", timestamp: "2026-01-01T00:00:00Z", via: "address" },
  ...{ previewInstanceId: "preview_1", revision: 1, requestBytes: 7, responseBytes: 8 },
  ...{ method: "POST", path: "/books/a%20b?page=2&page=3", statusCode: 201, durationMs: 4 },
  requestHeaders: [
    ["host", "localhost:3001"],
    ["content-type", "application/json"],
    ["authorization", "[redacted]"],
    ["x-note", "hi"],
  ],
  requestBody: { data: '{"a":1}', encoding: "text", truncated: false },
  responseHeaders: [
    ["content-type", "application/json"],
    ["set-cookie", "a"],
    ["set-cookie", "b"],
  ],
  responseBody: { data: '{"id":1}', encoding: "text", truncated: false },
  redacted: ["authorization"],
  ...more,
});
const endpoint = (method: string, path: string): Endpoint => ({
  ...{ method, path, description: "", operationId: "", tags: [], deprecated: false, secured: false },
});

test("a kept request becomes a draft that can be sent: no secrets, nothing that is added anyway", () => {
  const draft = draftOf(kept({}));
  expect(draft).toMatchObject({
    method: "POST",
    path: "/books/a%20b",
    query: [
      { name: "page", value: "2" },
      { name: "page", value: "3" },
    ],
    headers: [{ name: "x-note", value: "hi" }],
    auth: { kind: "none" },
  });
  expect(draft.headers).toHaveLength(1);
  expect([draft.body.mode, JSON.parse(draft.body.text)]).toEqual(["json", { a: 1 }]);
});

test("bodies of a kept request are what they were", () => {
  const of = (type: string, data: string, encoding: "text" | "base64" = "text") =>
    draftOf(
      kept({
        requestHeaders: [["content-type", type]],
        requestBody: { data, encoding, truncated: false },
      }),
    );
  expect(of("application/x-www-form-urlencoded", "a=1&b=x+y").body).toMatchObject({
    mode: "form",
    form: [
      { name: "a", value: "1" },
      { name: "b", value: "x y" },
    ],
  });
  // What was cut is no JSON any more; its type must go with it.
  const cut = of("application/json", '{"a":');
  expect(cut.body).toMatchObject({ mode: "text", text: '{"a":' });
  expect(cut.headers).toMatchObject([{ name: "content-type", value: "application/json" }]);
  expect(of("image/png", "AP8=", "base64").body).toMatchObject({
    mode: "file",
    file: { type: "image/png", base64: "AP8=" },
  });
  expect(draftOf(kept({ requestBody: null })).body.mode).toBe("none");
});

test("its answer is shown as it was, or as far as it is kept", () => {
  expect(exchangeOf(kept({}))).toMatchObject({
    state: "answered",
    kept: "whole",
    response: { data: { id: 1 }, dataEncoding: "json", headers: { "set-cookie": ["a", "b"] } },
  });
  const cut = { data: '{"id', encoding: "text", truncated: true } as const;
  expect(exchangeOf(kept({ responseBody: cut }))).toMatchObject({
    kept: "beginning",
    response: { data: '{"id', dataEncoding: "text" },
  });
  expect(exchangeOf(kept({ statusCode: null, responseBody: null }))).toMatchObject({ state: "failed" });
});

test("a path becomes the endpoint that it is one of, with its values", () => {
  const all = [
    endpoint("GET", "/books/{id}"),
    endpoint("GET", "/files/{path:path}"),
    endpoint("GET", "/a.b"),
  ];
  const of = (path: string) => asEndpoint({ ...blankDraft(), path }, all);
  expect(of("/books/a%20b")).toMatchObject({ path: "/books/{id}", pathValues: { id: "a b" } });
  expect(of("/files/x/y%2Fz")).toMatchObject({ path: "/files/{path:path}", pathValues: { path: "x/y/z" } });
  expect(of("/a.b").path).toBe("/a.b");
  expect(of("/axb").path).toBe("/axb");
  expect(of("/books/1/2").path).toBe("/books/1/2");
  expect(of("/books/%zz")).toMatchObject({ pathValues: { id: "%zz" } });
});

test("the history has each request once, newest first, with what is known of it here", () => {
  const entry = (key: string, at: number, requestId: string | null): HistoryEntry => ({
    ...{ key, at, requestId, draft: blankDraft(), request: { method: "GET", path: "/x" } },
    ...{ statusCode: requestId === null ? null : 200, durationMs: null },
  });
  const noon = Date.parse("2026-01-01T00:00:00Z");
  const here = [entry("unanswered", noon + 2_000, null), entry("same", noon, "req_7")];
  const items = historyItems(here, [kept({})]);
  expect(items.map(({ key }) => key)).toEqual(["unanswered", "req_7"]);
  expect(items[1]).toMatchObject({
    path: "/books/a%20b?page=2&page=3",
    entry: { key: "same" },
    kept: { id: 7 },
  });
});
