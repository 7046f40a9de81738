// @vitest-environment jsdom
import { cleanup, render, renderHook, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refused, serve } from "../shared/testing/server";
import { PreviewdProvider, PreviewTerminal, usePreviewLogs } from ".";

let asked: Request[] = [];
beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
      unobserve() {}
    },
  );
  const status = "GET /api/generations/gen_1/preview/status";
  asked = serve({ [status]: () => refused(404, "no_active_preview") }).requests;
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("the hook works alone, as in the original: the page's own origin, and nobody's token", async () => {
  const { result } = renderHook(() => usePreviewLogs("gen_1"));
  expect(result.current).toMatchObject({ logs: [], isConnected: false });
  await waitFor(() => expect(asked.length).toBeGreaterThan(0));
  expect(asked[0]?.url).toBe(`${window.location.origin}/api/generations/gen_1/preview/status`);
  expect(asked[0]?.headers.has("Authorization")).toBe(false);
});

test("the terminal takes a class name, and a token from the provider around it", async () => {
  const { container } = render(
    <PreviewdProvider baseUrl="https://previews.example" getToken={() => "t0ken"}>
      <PreviewTerminal generationId="gen_1" className="mine" />
    </PreviewdProvider>,
  );
  expect(container.querySelector(".pv-root.mine")).not.toBeNull();
  expect(screen.getByRole("log")).not.toBeNull();
  await waitFor(() => expect(asked.length).toBeGreaterThan(0));
  expect(asked[0]?.url).toMatch(/^https:\/\/previews\.example\/api\//);
  expect(asked[0]?.headers.get("Authorization")).toBe("Bearer t0ken");
});
