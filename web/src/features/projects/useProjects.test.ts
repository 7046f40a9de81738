// @vitest-environment jsdom
import { act, renderHook, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { inProvider, serve } from "../../shared/testing/server";
import { useDeleteGeneration, useProjects, useUpload } from "./useProjects";

afterEach(() => vi.unstubAllGlobals());

const project = (projectId: string, name: string) => ({ projectId, name, createdAt: "2026-01-01T00:00:00Z" });
const generation = (generationId: string, projectId: string, day: number) => ({
  ...{ generationId, projectId, createdAt: `2026-01-0${day}T00:00:00Z` },
});
const LISTS = {
  "GET /api/projects": { projects: [project("p1", "old"), project("p2", "new")] },
  "GET /api/generations": { generations: [generation("g3", "p2", 3), generation("g1", "p1", 1)] },
  "GET /api/previews": {
    previews: [
      { generationId: "g1", status: "running" },
      { generationId: "g3", status: "stopped" },
    ],
  },
};

test("projects are told with what they have, the one that changed last first, and what runs", async () => {
  const server = serve({ ...LISTS, "DELETE /api/generations/g1": () => new Response(null, { status: 204 }) });
  const { result } = renderHook(() => ({ projects: useProjects(), remove: useDeleteGeneration() }), {
    wrapper: inProvider,
  });
  await waitFor(() => expect(result.current.projects.data).toBeDefined());
  const { groups, previews } = result.current.projects.data ?? { groups: [], previews: new Map() };
  expect(
    groups.map((one) => [one.project.name, ...one.generations.map((each) => each.generationId)]),
  ).toEqual([
    ["new", "g3"],
    ["old", "g1"],
  ]);
  expect([...previews.keys()]).toEqual(["g1"]);
  server.answers["GET /api/generations"] = { generations: [generation("g3", "p2", 3)] };
  await act(() => result.current.remove.mutateAsync(generation("g1", "p1", 1) as never));
  await waitFor(() => expect(result.current.projects.data?.groups[1]?.generations).toEqual([]));
});

test("an upload goes to the project of its name, which is made if there is none", async () => {
  const server = serve({
    ...LISTS,
    "POST /api/projects": project("p9", "shop"),
    "POST /api/projects/p2/generations": generation("g4", "p2", 4),
    "POST /api/projects/p9/generations": generation("g5", "p9", 5),
  });
  const uploaded = vi.fn();
  const { result } = renderHook(() => useUpload(uploaded), { wrapper: inProvider });
  const main = new File([], "main.py");
  Object.defineProperty(main, "arrayBuffer", { value: async () => new TextEncoder().encode("app = 1") });
  const files = [{ path: "main.py", file: main }];
  await act(() =>
    result.current.mutateAsync({ picked: { kind: "files", name: "new", files }, project: null }),
  );
  const archive = new File(["zip"], "shop.zip");
  await act(() =>
    result.current.mutateAsync({ picked: { kind: "zip", name: "shop", archive }, project: null }),
  );
  expect(uploaded.mock.calls.map(([made]) => made.generationId)).toEqual(["g4", "g5"]);
  const sent = server.requests.find(({ url }) => url.endsWith("/p2/generations"));
  expect(await sent?.json()).toEqual({ name: "new", files: { "main.py": "app = 1" } });
  expect(server.asked).toContain("POST /api/projects/p9/generations?name=shop");
});
