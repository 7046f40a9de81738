// @vitest-environment jsdom
import { act, renderHook, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { inProvider, serve } from "../../shared/testing/server";
import { useFileList, useFileText, useSaveFile } from "./useFiles";

afterEach(() => vi.unstubAllGlobals());

test("a file is read as text or not at all, and what is saved is what is read from then on", async () => {
  const server = serve({
    "GET /api/generations/g/files": { files: [{ path: "a.py", size: 1, sha256: "" }] },
    "GET /api/generations/g/files/a.py": () => new Response("old"),
    "GET /api/generations/g/files/b.bin": () => new Response(new Uint8Array([0])),
    "PATCH /api/generations/g/files": { reloaded: true },
  });
  const saved = vi.fn();
  const { result } = renderHook(
    () => ({
      list: useFileList("g"),
      text: useFileText("g", "a.py"),
      binary: useFileText("g", "b.bin"),
      save: useSaveFile("g", saved),
    }),
    { wrapper: inProvider },
  );
  await waitFor(() => expect([result.current.text.data, result.current.binary.data]).toEqual(["old", null]));
  await waitFor(() => expect(result.current.list.data).toHaveLength(1));
  await act(() => result.current.save.mutateAsync({ path: "a.py", text: "new" }));
  await waitFor(() => expect(result.current.text.data).toBe("new"));
  expect(saved).toHaveBeenCalledWith({ reloaded: true }, "new");
  const sent = server.requests.find(({ method }) => method === "PATCH");
  expect(await sent?.json()).toEqual({ files: { "a.py": "new" } });
  // It is known already; the list is not.
  expect(server.asked.filter((one) => one === "GET /api/generations/g/files/a.py")).toHaveLength(1);
  await waitFor(() =>
    expect(server.asked.filter((one) => one === "GET /api/generations/g/files")).toHaveLength(2),
  );
});
