// @vitest-environment jsdom
import { fireEvent, renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { PreviewState, PreviewStatus } from "../../api/types";
import { type PaletteContext, paletteActions } from "./paletteActions";
import { useShortcuts } from "./shortcuts";
import { failureTitle, overSentence, stateWord } from "./words";

const status = (more: Partial<PreviewStatus>) => more as PreviewStatus;
const running = (more: Partial<PreviewStatus> = {}): PreviewState => ({
  phase: "running",
  preview: status(more),
});
const launching: PreviewState = { phase: "launching", preview: status({}) };
const over = (stopReason: string): PreviewState =>
  ({ phase: "over", last: { stopReason } }) as unknown as PreviewState;

test("each state has one word, and each end a sentence", () => {
  const states: PreviewState[] = [
    ...[{ phase: "idle" } as const, launching, running(), running({ asleep: true })],
    ...[running({ healthStatus: "unhealthy" }), { phase: "failed", preview: status({}) } as const],
    ...[over("expired"), over("stopped")],
  ];
  expect(states.map((state) => stateWord(state).word)).toEqual([
    ...["Not launched", "Launching", "Running", "Asleep", "Unhealthy", "Failed", "Expired", "Stopped"],
  ]);
  const sentences = ["expired", "idle", "crashed", "launch_failed", null].map(overSentence);
  expect(new Set(sentences).size).toBe(5);
  const failed = (reason: string) =>
    failureTitle(status({ failure: { reason } as PreviewStatus["failure"] }));
  expect([failed("exited"), failed("who knows")]).toEqual(["The program ended", "The preview failed"]);
});

test("the palette offers what can be done now", () => {
  const done = vi.fn();
  const mutation = (name: string) => ({ mutate: () => done(name) });
  const offered = (state: PreviewState) => {
    const endpoints = [{ method: "GET", path: "/books", description: "All of them" }];
    const space = { endpoints, openEndpoint: () => done("open") };
    const controls = { launch: mutation("launch"), stop: mutation("stop"), restart: mutation("restart") };
    const context = { state, space, controls, onImport: () => done("import"), onHelp: () => done("help") };
    return paletteActions(context as unknown as PaletteContext);
  };
  expect(offered(running()).map(({ label }) => label)).toEqual([
    ...["Stop", "Restart", "Import curl", "GET /books", "Keyboard shortcuts"],
  ]);
  expect(offered(launching)[0]?.label).toBe("Cancel the launch");
  expect(offered({ phase: "idle" })[0]?.label).toBe("Launch");
  const all = [running(), launching, { phase: "idle" } as const].flatMap((state) => offered(state));
  for (const { run } of all) run();
  expect(new Set(done.mock.calls.flat())).toEqual(
    new Set(["stop", "restart", "launch", "import", "open", "help"]),
  );
});

test("keys are ours here and where nothing has the focus, but not while something is typed", () => {
  const [scope, host] = [document.createElement("div"), document.createElement("div")];
  const [button, input] = [document.createElement("button"), document.createElement("input")];
  scope.append(button, input);
  document.body.append(scope, host);
  const done: string[] = [];
  const { unmount } = renderHook(() =>
    useShortcuts(
      { current: scope },
      {
        palette: () => done.push("palette"),
        help: () => done.push("help"),
        filter: () => done.push("filter"),
      },
    ),
  );
  const press = (at: Element, key: string, more: KeyboardEventInit = {}) =>
    fireEvent.keyDown(at, { key, cancelable: true, ...more });
  press(document.body, "?");
  press(button, "/");
  press(input, "k", { ctrlKey: true });
  press(button, "K", { metaKey: true });
  expect(done).toEqual(["help", "filter", "palette", "palette"]);
  press(input, "?");
  press(host, "?");
  press(button, "?", { altKey: true });
  press(button, "x");
  unmount();
  press(button, "?");
  expect(done).toHaveLength(4);
});
