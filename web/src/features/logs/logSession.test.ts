// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Api } from "../../api/client";
import { LogSession } from "./logSession";
import { isGap } from "./logStore";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "requestAnimationFrame"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A server whose streams are fed by the test; answers what was asked of it. */
function server() {
  const asked: { lastId: string | null; aborted: () => boolean; send: (...ids: number[]) => void }[] = [];
  const fetch = async (_path: string, init: RequestInit = {}) => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (made) => {
        controller = made;
      },
    });
    const send = (...ids: number[]) => {
      const text = ids
        .map((id) => `id: ${id}\ndata: {"id": ${id}, "message": "m", "level": "INFO"}\n\n`)
        .join("");
      controller?.enqueue(new TextEncoder().encode(text));
    };
    const lastId = new Headers(init.headers).get("Last-Event-ID");
    asked.push({ lastId, aborted: () => init.signal?.aborted ?? false, send });
    return new Response(body, { status: 200 });
  };
  return { asked, session: new LogSession({ fetch } as unknown as Api, "gen_1") };
}

const ids = (session: LogSession) =>
  session.store.getSnapshot().items.map((item) => (isGap(item) ? -1 : item.id));

const settled = () => vi.advanceTimersByTimeAsync(50);

test("nobody looking closes the stream, a return resumes it without a line twice", async () => {
  const { asked, session } = server();
  const leave = session.attach();
  session.follow("preview_1");
  await settled();
  asked[0]?.send(1, 2, 3);
  await settled();
  leave();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked[0]?.aborted()).toBe(true);
  session.attach();
  await settled();
  expect(asked[1]?.lastId).toBe("3");
  asked[1]?.send(4);
  await settled();
  expect(ids(session)).toEqual([1, 2, 3, 4]);
});

test("a short absence, as of a component that moves, does not", async () => {
  const { asked, session } = server();
  session.attach()();
  session.attach();
  session.follow("preview_1");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveLength(1);
  expect(asked[0]?.aborted()).toBe(false);
});

test("a cleared view stays clear when the stream comes back; another preview starts from the first line", async () => {
  const { asked, session } = server();
  const leave = session.attach();
  session.follow("preview_1");
  await settled();
  asked[0]?.send(1, 2);
  await settled();
  session.store.clearView();
  leave();
  await vi.advanceTimersByTimeAsync(10_000);
  session.attach();
  await settled();
  expect(asked[1]?.lastId).toBe("2");
  session.follow("preview_2");
  await settled();
  expect(asked[2]?.lastId).toBeNull();
});
