// @vitest-environment jsdom
import { act, renderHook, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { usePreview as useForHosts } from "../../package/usePreview";
import { inProvider, refused, serve } from "../../shared/testing/server";
import { useMakeRoom } from "./useMakeRoom";
import { usePreview } from "./usePreview";

afterEach(() => vi.unstubAllGlobals());

const STATUS = "GET /api/generations/g/preview/status";
const STOP = "DELETE /api/generations/g/preview";
const LAUNCH = "POST /api/generations/g/preview/launch";
const STREAM = "GET /api/generations/g/preview/logs/stream";
const running = (previewInstanceId: string) => ({ status: "running", previewInstanceId });

test("a launch opens the log before the state is known, and a restart stops what is there first", async () => {
  const server = serve({
    [STATUS]: () => refused(404, "no_active_preview"),
    [LAUNCH]: () => {
      server.answers[STATUS] = running("i1");
      return { previewInstanceId: "i1" };
    },
    [STREAM]: () => new Response(null, { status: 204 }),
  });
  const { result } = renderHook(() => usePreview("g"), { wrapper: inProvider });
  await waitFor(() => expect(result.current.state).toEqual({ phase: "idle" }));
  await act(() => result.current.launch.mutateAsync({}));
  expect(server.asked.slice(server.asked.indexOf(`${LAUNCH}?wait=false`))).toContain(STREAM);
  await waitFor(() => expect(result.current.state?.phase).toBe("running"));
  // It has ended by itself in the meantime: that is no obstacle to another.
  server.answers[STOP] = () => refused(404, "no_active_preview");
  await act(() => result.current.restart.mutateAsync());
  expect(server.asked.filter((one) => one.startsWith("DELETE") || one.startsWith("POST"))).toEqual([
    ...[`${LAUNCH}?wait=false`, STOP, `${LAUNCH}?wait=false`],
  ]);
  server.answers[STOP] = () => refused(503, "draining");
  await act(() => result.current.restart.mutateAsync().catch(() => {}));
  await waitFor(() => expect(result.current.restart.error).toMatchObject({ code: "draining" }));
});

test("what the stream says of the state is looked up, and the log of what is over can be read", async () => {
  const server = serve({
    [STATUS]: running("i1"),
    [STREAM]: () => {
      server.answers[STATUS] = () =>
        refused(404, "no_active_preview", {
          lastPreview: { previewInstanceId: "i1", stopReason: "expired" },
        });
      return new Response('event: end\ndata: {"reason": "expired"}\n\n');
    },
  });
  const { result } = renderHook(() => usePreview("g"), { wrapper: inProvider });
  await waitFor(() => expect(result.current.state?.phase).toBe("over"));
  expect(server.asked.filter((one) => one === STREAM)).toHaveLength(1);
});

test("a host's own buttons launch, stop and restart, and are told what was refused", async () => {
  const server = serve({
    [STATUS]: running("i1"),
    [LAUNCH]: { previewInstanceId: "i1" },
    [STOP]: {},
    [STREAM]: () => new Response(null, { status: 204 }),
  });
  const { result } = renderHook(() => useForHosts("g"), { wrapper: inProvider });
  await waitFor(() => expect(result.current.state?.phase).toBe("running"));
  await act(() => result.current.launch({ env: { A: "1" } }));
  await act(() => result.current.stop());
  await act(() => result.current.restart());
  expect([result.current.error, result.current.busy]).toEqual([null, false]);
  server.answers[LAUNCH] = () => refused(409, "preview_already_running");
  await act(() => result.current.launch().catch(() => {}));
  await waitFor(() => expect(result.current.error).toMatchObject({ code: "preview_already_running" }));
});

test("a full house is told by what is over soonest; it is stopped, and the launch goes on", async () => {
  const preview = (generationId: string, status: string, expiresAt: string | null) => ({
    ...{ generationId, status, expiresAt },
  });
  const server = serve({
    [STATUS]: () => refused(404, "no_active_preview"),
    [LAUNCH]: () => refused(409, "preview_limit_reached"),
    [STREAM]: () => new Response(null, { status: 204 }),
    "GET /api/previews": {
      previews: [
        preview("late", "running", "2026-01-03T00:00:00Z"),
        preview("over", "stopped", null),
        preview("soon", "launching", "2026-01-02T00:00:00Z"),
      ],
    },
    "GET /api/generations/soon": { generationId: "soon", name: "the other" },
    "DELETE /api/generations/soon/preview": {},
  });
  const { result } = renderHook(
    () => {
      const controls = usePreview("g");
      return { controls, room: useMakeRoom("g", controls) };
    },
    { wrapper: inProvider },
  );
  await act(() => result.current.controls.launch.mutateAsync({}).catch(() => {}));
  await waitFor(() => expect(result.current.room.other?.name).toBe("the other"));
  server.answers[LAUNCH] = { previewInstanceId: "i1" };
  await act(() => result.current.room.makeRoom.mutateAsync());
  await waitFor(() => expect(server.asked.filter((one) => one.startsWith("POST"))).toHaveLength(2));
  expect(server.asked).toContain("DELETE /api/generations/soon/preview");
  await waitFor(() => expect(result.current.room.other).toBeNull());
});
