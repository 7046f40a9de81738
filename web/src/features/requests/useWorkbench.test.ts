// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import type { Endpoint, PreviewStatus, ProxyRequest } from "../../api/types";
import { inProvider, refused, serve } from "../../shared/testing/server";
import { historyItems } from "./history";
import { useWorkbench } from "./useWorkbench";

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

const endpoint = (method: string, path: string, secured = false): Endpoint => ({
  ...{ method, path, description: "", operationId: path, tags: [], deprecated: false, secured },
});
const PREVIEW = { previewToken: "pt" } as PreviewStatus;
const LOGIN = endpoint("POST", "/login");
const ME = endpoint("GET", "/me", true);
const ADMIN = endpoint("GET", "/admin", true);

const answer = (data: unknown, more: Record<string, unknown> = {}) => ({
  ...{ statusCode: 200, data, dataEncoding: "json", headers: {}, durationMs: 3, requestId: "r1" },
  ...{ timing: { connectMs: 0, firstByteMs: 1, totalMs: 3 }, truncated: false },
  ...more,
});
const workbench = () => renderHook(() => useWorkbench("g"), { wrapper: inProvider });
const request = (method: string, path: string): ProxyRequest => ({ method, path });

test("a login's token is for all that wait for one, unless the person has chosen another", async () => {
  const server = serve({ "POST /api/generations/g/preview/request": answer({ access_token: "0123456789" }) });
  const { result } = workbench();
  act(() => result.current.select(ADMIN));
  act(() =>
    result.current.change({ ...result.current.draft, auth: { kind: "basic", user: "u", password: "p" } }),
  );
  act(() => result.current.select(ME));
  expect(result.current.draft.auth).toEqual({ kind: "none" });
  act(() => result.current.select(LOGIN));
  await act(() => result.current.send(PREVIEW, request("POST", "/login")));
  expect(result.current.exchange).toMatchObject({ state: "answered" });
  expect(result.current.draft.auth).toEqual({ kind: "none" });
  act(() => result.current.select(ME));
  expect(result.current.exchange).toEqual({ state: "idle" });
  expect(result.current.draft.auth).toEqual({ kind: "bearer", token: "0123456789" });
  act(() => result.current.select(ADMIN));
  expect(result.current.draft.auth).toMatchObject({ kind: "basic" });
  // A newer token takes the place of the one that we gave.
  server.answers["POST /api/generations/g/preview/request"] = answer({ token: "9876543210" });
  await act(() => result.current.send(PREVIEW, request("POST", "/login")));
  act(() => result.current.select(ME));
  expect(result.current.draft.auth).toEqual({ kind: "bearer", token: "9876543210" });
  // Whatever is looked at for the first time gets it as well.
  act(() => result.current.select(endpoint("GET", "/later", true)));
  expect(result.current.draft.auth).toEqual({ kind: "bearer", token: "9876543210" });
});

test("cookies stay with the session that they were given to, until it is forgotten", async () => {
  const server = serve({
    "POST /api/generations/g/preview/request": answer("x", { cookies: { visitor: "a" } }),
  });
  const { result } = workbench();
  await act(() => result.current.send(PREVIEW, request("GET", "/")));
  expect(result.current.cookies).toEqual(["visitor"]);
  act(() => result.current.forgetCookies());
  expect(result.current.cookies).toEqual([]);
  await act(() => result.current.send(PREVIEW, request("GET", "/")));
  const sent = server.requests.filter(({ method }) => method === "POST");
  const sessions = await Promise.all(sent.map(async (one) => (await one.json()).session));
  expect(new Set(sessions).size).toBe(2);
});

test("what was sent is remembered, also without an answer, and sent again as it was written", async () => {
  const server = serve({ "POST /api/generations/g/preview/request": answer([1]) });
  const { result } = workbench();
  act(() => result.current.select(endpoint("GET", "/books")));
  await act(() => result.current.send(PREVIEW, request("GET", "/books")));
  server.answers["POST /api/generations/g/preview/request"] = () => refused(504, "timeout");
  await act(() => result.current.send(PREVIEW, request("GET", "/slow")));
  expect(result.current.exchange).toMatchObject({ state: "failed", message: "Refused: timeout." });
  expect(result.current.history.map(({ statusCode }) => statusCode)).toEqual([null, 200]);
  // It is there for the page that comes after this one, too.
  expect(workbench().result.current.history).toHaveLength(2);

  server.answers["POST /api/generations/g/preview/request"] = answer([2]);
  act(() => result.current.select(ME));
  const written = historyItems(result.current.history, []).find(({ statusCode }) => statusCode === 200);
  if (written === undefined) throw new Error("It was not remembered.");
  await act(() => result.current.again(written, PREVIEW, []));
  expect(result.current.selected).toBe("GET /books");
  expect(result.current.exchange).toMatchObject({ state: "answered", response: { data: [2] } });
  act(() => result.current.openEntry(result.current.history[2] as (typeof result.current.history)[number]));
  expect(result.current.exchange).toMatchObject({ state: "answered", response: { data: [1] } });
});

test("what somebody else sent is replayed by the server, without a secret passing here", async () => {
  const kept = {
    ...{ id: 7, requestId: "r7", timestamp: "2026-01-01T00:00:00Z", method: "GET", path: "/books/9" },
    ...{ statusCode: 200, durationMs: 2, via: "address" as const },
    ...{ previewInstanceId: "i", revision: 1, requestBytes: 0, responseBytes: 0 },
  };
  const server = serve({
    "GET /api/generations/g/preview/requests/7": {
      ...kept,
      ...{ redacted: ["authorization"], requestHeaders: [], responseHeaders: [] },
    },
    "POST /api/generations/g/preview/requests/7/replay": answer([9]),
  });
  const { result } = workbench();
  const [item] = historyItems([], [kept]);
  if (item === undefined) throw new Error("It is not in the history.");
  await act(() => result.current.again(item, PREVIEW, [endpoint("GET", "/books/{id}")]));
  expect(server.asked.at(-1)).toBe("POST /api/generations/g/preview/requests/7/replay");
  expect(result.current.draft).toMatchObject({ path: "/books/{id}", pathValues: { id: "9" } });
  expect(result.current.exchange).toMatchObject({ state: "answered", response: { data: [9] } });
  expect(result.current.history).toHaveLength(1);
});
