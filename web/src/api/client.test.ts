import { afterEach, expect, test, vi } from "vitest";
import { ORIGIN, refused, serve } from "../shared/testing/server";
import { createApi } from "./client";
import { ApiError } from "./errors";

afterEach(() => vi.unstubAllGlobals());

const api = createApi({ baseUrl: `${ORIGIN}/`, getToken: () => "t0ken" });

test("each call of the contract goes to its address with the token, and gives what was asked for", async () => {
  const server = serve({
    "GET /api/projects": { projects: [1] },
    "POST /api/projects": { projectId: "p" },
    "GET /api/generations": { generations: [2] },
    "GET /api/generations/g": { generationId: "g" },
    "DELETE /api/generations/g": () => new Response(null, { status: 204 }),
    "POST /api/projects/p/generations": { generationId: "g" },
    "GET /api/generations/g/files": { files: [3] },
    "GET /api/generations/g/files/a%20b/c.py": () => new Response("text"),
    "PATCH /api/generations/g/files": { revision: 2 },
    "GET /api/previews": { previews: [4] },
    "POST /api/generations/g/preview/launch": { previewInstanceId: "i" },
    "DELETE /api/generations/g/preview": {},
    "GET /api/generations/g/endpoints": { endpoints: [5], warnings: [] },
    "GET /api/generations/g/preview/config": {},
    "POST /api/generations/g/preview/request": { statusCode: 200 },
    "GET /api/generations/g/preview/requests": { requests: [6] },
    "GET /api/generations/g/preview/requests/7": { id: 7 },
    "POST /api/generations/g/preview/requests/7/replay": { statusCode: 201 },
    "GET /api/generations/g/preview/requests.har": () => new Response("{}"),
  });
  expect(await api.projects()).toEqual([1]);
  expect(await api.createProject("shop")).toEqual({ projectId: "p" });
  expect(await api.generations()).toEqual([2]);
  expect(await api.generation("g")).toEqual({ generationId: "g" });
  await api.deleteGeneration("g");
  await api.uploadFiles("p", { name: "shop", files: { "a.py": "" } });
  await api.uploadZip("p", "shop", new Blob(["zip"]));
  expect(await api.files("g")).toEqual([3]);
  expect(new TextDecoder().decode(await api.file("g", "a b/c.py"))).toBe("text");
  await api.patchFiles("g", { "a.py": null });
  expect(await api.previews()).toEqual([4]);
  await api.launch("g", { env: { A: "1" } });
  await api.stop("g");
  expect((await api.endpoints("g")).endpoints).toEqual([5]);
  await api.config("g");
  await api.request("g", "preview-token", { method: "GET", path: "/" });
  expect(await api.requests("g", "abc")).toEqual([6]);
  await api.keptRequest("g", 7);
  await api.replay("g", 7, "jar");
  expect(await (await api.har("g")).text()).toBe("{}");
  // What has no answer above was told as an error.
  expect(server.asked).toHaveLength(Object.keys(server.answers).length + 1);
  expect(server.asked).toContain("POST /api/projects/p/generations?name=shop");
  expect(server.asked).toContain("POST /api/generations/g/preview/launch?wait=false");
  expect(server.asked).toContain("GET /api/generations/g/preview/requests?limit=100&q=abc");
  for (const request of server.requests) expect(request.headers.get("Authorization")).toBe("Bearer t0ken");
  const byPath = (end: string) => server.requests.find(({ url }) => url.endsWith(end));
  expect(byPath("/preview/request")?.headers.get("X-Preview-Token")).toBe("preview-token");
  expect(byPath("?name=shop")?.headers.get("Content-Type")).toBe("application/zip");
  expect(await byPath("/replay")?.json()).toEqual({ session: "jar" });
});

test("the status tells what runs, what did, and what never was", async () => {
  const last = { previewInstanceId: "i", stopReason: "expired" };
  const { answers } = serve({});
  const answer = (status: unknown) => {
    answers["GET /api/generations/g/preview/status"] = status;
    return api.status("g");
  };
  expect(await answer({ status: "running" })).toMatchObject({ phase: "running" });
  expect(await answer({ status: "stopped" })).toMatchObject({ phase: "failed" });
  expect(await answer(() => refused(404, "no_active_preview"))).toEqual({ phase: "idle" });
  expect(await answer(() => refused(404, "no_active_preview", { lastPreview: last }))).toEqual({
    phase: "over",
    last,
  });
  await expect(answer(() => refused(403, "forbidden"))).rejects.toMatchObject({ status: 403 });
});

test("an answer that is none of the contract's, and no answer, are told in words", async () => {
  const { answers } = serve({ "GET /api/projects": () => new Response("<h1>proxy</h1>", { status: 502 }) });
  await expect(api.projects()).rejects.toMatchObject({ status: 502, code: "unexpected" });
  await expect(api.file("g", "gone.py")).rejects.toBeInstanceOf(ApiError);
  await expect(api.har("g")).rejects.toMatchObject({ code: "not_found" });
  answers["GET /api/projects"] = () => {
    throw new TypeError("no route");
  };
  await expect(api.projects()).rejects.toMatchObject({ status: 0, code: "network" });
  answers["GET /api/projects"] = () => {
    throw new DOMException("left", "AbortError");
  };
  await expect(api.projects()).rejects.toMatchObject({ name: "AbortError" });
});

test("a refused token is renewed once, and what was asked is asked again with the new one", async () => {
  const tokens: string[] = [];
  const server = serve({
    "POST /api/projects": async (request: Request) =>
      request.headers.get("Authorization") === "Bearer new" ? request.json() : refused(401, "unauthorized"),
  });
  const renewing = (fresh: string | null) =>
    createApi({
      baseUrl: ORIGIN,
      getToken: ({ refresh = false } = {}) => {
        tokens.push(refresh ? "refresh" : "first");
        return refresh ? fresh : "old";
      },
    });
  expect(await renewing("new").createProject("shop")).toEqual({ name: "shop" });
  expect(tokens).toEqual(["first", "refresh"]);
  await expect(renewing(null).createProject("shop")).rejects.toMatchObject({ status: 401 });
  await expect(renewing("worse").createProject("shop")).rejects.toMatchObject({ status: 401 });
  expect(server.asked).toHaveLength(5);
});
