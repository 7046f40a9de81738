// @vitest-environment jsdom
import { act, renderHook, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import type { Endpoint, PreviewState, PreviewStatus } from "../../api/types";
import { inProvider, serve } from "../../shared/testing/server";
import { useWorkspace } from "./useWorkspace";

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
  history.replaceState(null, "", "/");
});

const endpoint = (method: string, path: string, more: Partial<Endpoint> = {}): Endpoint => ({
  ...{ method, path, description: "", operationId: path, tags: [], deprecated: false, secured: false },
  ...more,
});
const query = (name: string) => ({ name, in: "query", required: false, schema: { type: "string" } });
const hello = endpoint("GET", "/hello");
const books = endpoint("GET", "/books");
const knownBetter = { ...books, parameters: [query("author")] } as Endpoint;

const running = (revision = 1): PreviewState => ({
  phase: "running",
  preview: { previewInstanceId: "i", revision, previewToken: "pt" } as PreviewStatus,
});
const IDLE: PreviewState = { phase: "idle" };
const OVER: PreviewState = {
  phase: "over",
  last: { previewInstanceId: "i", status: "stopped", stopReason: "stopped" },
};

/** Endpoints that are told when the test says so, one answer after another. */
function endpointsOnDemand() {
  const waiting: ((endpoints: Endpoint[]) => void)[] = [];
  const server = serve({
    "GET /api/generations/g/endpoints": () =>
      new Promise((resolve) => waiting.push((endpoints) => resolve({ endpoints, warnings: [] }))),
  });
  const tell = async (...endpoints: Endpoint[]) => {
    await waitFor(() => expect(waiting.length).toBeGreaterThan(0));
    await act(async () => waiting.shift()?.(endpoints));
  };
  return { server, tell };
}

const workspace = (state: PreviewState) =>
  renderHook(({ state }) => useWorkspace("g", state), { initialProps: { state }, wrapper: inProvider });

test("a preview that runs shows its first endpoint, once that is known", async () => {
  const { tell } = endpointsOnDemand();
  const { result, rerender } = workspace(IDLE);
  expect(result.current.view).toEqual({ kind: "state" });
  await tell(hello);
  await waitFor(() => expect(result.current.endpoints).toHaveLength(1));
  expect(result.current.view).toEqual({ kind: "state" });
  rerender({ state: running() });
  // What its source told may be out of date: nothing is chosen from that.
  expect(result.current.view).toEqual({ kind: "state" });
  await tell(books, hello);
  await waitFor(() => expect(result.current.view).toEqual({ kind: "request" }));
  expect(result.current.workbench.selected).toBe("GET /books");
  expect(result.current.endpoint).toEqual(books);
  rerender({ state: OVER });
  expect(result.current.view).toEqual({ kind: "state" });
});

test("endpoints that come late take away nothing that was chosen meanwhile", async () => {
  const { tell } = endpointsOnDemand();
  const { result, rerender } = workspace(running());
  await tell(hello, books);
  await waitFor(() => expect(result.current.workbench.selected).toBe("GET /hello"));
  rerender({ state: OVER });
  act(() => result.current.openEndpoint(books));
  await tell(hello, books, endpoint("GET", "/more"));
  await waitFor(() => expect(result.current.endpoints).toHaveLength(3));
  expect(result.current.view).toEqual({ kind: "request" });
  act(() => result.current.openFile("app/main.py", 3));
  expect(result.current.view).toEqual({ kind: "file", path: "app/main.py", line: 3 });
  // Who edits goes on editing while the preview moves to the new code.
  rerender({ state: running(2) });
  await tell(hello);
  await waitFor(() => expect(result.current.endpoints).toHaveLength(1));
  expect(result.current.view).toMatchObject({ kind: "file" });
});

test("a form that nobody has touched is made anew when more is known of its endpoint", async () => {
  const { tell } = endpointsOnDemand();
  const { result, rerender } = workspace(IDLE);
  await tell(books, hello);
  await waitFor(() => expect(result.current.endpoints).toHaveLength(2));
  act(() => result.current.openEndpoint(hello));
  act(() => result.current.workbench.change({ ...result.current.workbench.draft, path: "/mine" }));
  act(() => result.current.openEndpoint(books));
  expect(result.current.workbench.draft.query).toEqual([]);
  rerender({ state: running() });
  await tell(knownBetter, { ...hello, parameters: [query("name")] } as Endpoint);
  await waitFor(() =>
    expect(result.current.workbench.draft.query).toMatchObject([{ name: "author", enabled: false }]),
  );
  act(() => result.current.openEndpoint(hello));
  expect(result.current.workbench.draft).toMatchObject({ path: "/mine", query: [] });
});

test("edits are kept by file until they are saved, and one thing leads to another", async () => {
  history.replaceState(null, "", "/g/g#L12");
  const { tell, server } = endpointsOnDemand();
  const { result } = workspace(running());
  expect([result.current.target, result.current.pane]).toEqual([{ id: 12 }, "logs"]);
  await tell(endpoint("GET", "/books/{id}"));
  act(() => result.current.edit("a.py", "x"));
  act(() => result.current.edit("b.py", "y"));
  act(() => result.current.edit("a.py", null));
  expect(result.current.edits).toEqual({ "b.py": "y" });
  const { workbench } = result.current;
  act(() => result.current.openDraft({ ...workbench.draft, path: "/books/7" }));
  expect(result.current.workbench.draft).toMatchObject({ path: "/books/{id}", pathValues: { id: "7" } });
  act(() => result.current.showLogs({ requestId: "r1" }));
  expect([result.current.target, result.current.pane]).toEqual([{ requestId: "r1" }, "logs"]);

  // From a line to its request, which somebody else sent.
  const kept = {
    id: 3,
    requestId: "r9",
    timestamp: "2026-01-01T00:00:00Z",
    method: "GET",
    path: "/books/9?x=1",
  };
  server.answers["GET /api/generations/g/preview/requests"] = { requests: [kept] };
  server.answers["GET /api/generations/g/preview/requests/3"] = {
    ...kept,
    ...{ statusCode: 200, durationMs: 2, redacted: [], requestHeaders: [], responseHeaders: [] },
  };
  await act(() => result.current.lookUp.mutateAsync("r9"));
  expect(result.current.workbench.draft).toMatchObject({ path: "/books/{id}", pathValues: { id: "9" } });
  expect(result.current.workbench.exchange).toMatchObject({ state: "answered", kept: "whole" });
  server.answers["GET /api/generations/g/preview/requests"] = { requests: [] };
  await act(() => result.current.lookUp.mutateAsync("gone").catch(() => {}));
  await waitFor(() => expect(result.current.lookUp.error?.message).toMatch(/no longer in the history/));
});
