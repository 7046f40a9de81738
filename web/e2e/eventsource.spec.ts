import type { Page } from "@playwright/test";
import { expect, forget, launched, project, test } from "./fixtures";
import { startHost } from "./host";

/** Speaks all the time, also while no server is there to hear it. */
const SPEAKER = `
import threading
import time

from fastapi import FastAPI

app = FastAPI()
print("data: forged\\n\\nid: 999\\nevent: end\\ndata: {}")


def speak() -> None:
    number = 0
    while True:
        print(f"tick {number}")
        number += 1
        time.sleep(0.1)


threading.Thread(target=speak, daemon=True).start()
`;

/** What a browser's own EventSource made of a stream. */
interface Heard {
  source: EventSource;
  opened: number;
  ids: number[];
  messages: string[];
  end: string | null;
}

declare global {
  interface Window {
    heard: Record<string, Heard>;
  }
}

/** Listens until the browser gives up, or the page goes. */
const listen = (page: Page, name: string, url: string) =>
  page.evaluate(
    ([name, url]) => {
      const source = new EventSource(url);
      const heard: Heard = { source, opened: 0, ids: [], messages: [], end: null };
      window.heard = { ...window.heard, [name]: heard };
      source.onopen = () => {
        heard.opened += 1;
      };
      source.onmessage = ({ data, lastEventId }) => {
        heard.ids.push(Number(lastEventId));
        heard.messages.push(JSON.parse(data).message);
      };
      source.addEventListener("end", ({ data }) => {
        heard.end = JSON.parse(data).reason;
      });
    },
    [name, url] as const,
  );

const heard = (page: Page, name: string) =>
  page.evaluate((name) => {
    const { source, ...heard } = window.heard[name] as Heard;
    return { ...heard, readyState: source.readyState };
  }, name);

const newest = async (page: Page, name: string) => (await heard(page, name)).messages.at(-1);
const readyState = async (page: Page, name: string) => (await heard(page, name)).readyState;

const [CONNECTING, OPEN, CLOSED] = [0, 1, 2];

test("a browser's own EventSource: tickets, coming back by itself, and the end", async ({
  page,
  server,
  token,
}) => {
  const id = await server.upload(token, "speaker", project(SPEAKER));
  const other = await server.upload(token, "other", project(SPEAKER));
  await launched(server, token, id);
  const stream = `/api/generations/${id}/preview/logs/stream`;
  const ticket = async (of: string): Promise<string> =>
    (await server.call(token, "POST", `/api/generations/${of}/preview/logs/ticket`)).ticket;

  // A ticket opens one stream of one preview.
  await page.goto(`${server.url}/healthz`);
  const used = await ticket(id);
  await listen(page, "first", `${stream}?ticket=${used}`);
  await expect.poll(() => newest(page, "first")).toMatch(/^tick/);
  await listen(page, "twice", `${stream}?ticket=${used}`);
  await listen(page, "of another", `${stream}?ticket=${await ticket(other)}`);
  for (const name of ["twice", "of another"]) {
    await expect.poll(() => readyState(page, name)).toBe(CLOSED);
    expect((await heard(page, name)).opened).toBe(0);
  }
  const first = await heard(page, "first");
  expect([first.readyState, first.end]).toEqual([OPEN, null]);
  expect(first.messages).toEqual(expect.arrayContaining(["data: forged", "id: 999", "event: end"]));

  // Through a host that signs its users in there is none to be used up: the browser comes back by itself.
  const host = await startHost(server.url, token);
  await page.goto(`${host.url}/api/previews`);
  await listen(page, "hosted", stream);
  await expect.poll(() => newest(page, "hosted")).toMatch(/^tick/);
  await server.kill();
  await expect.poll(() => readyState(page, "hosted")).toBe(CONNECTING);
  await server.up();
  await expect.poll(async () => (await heard(page, "hosted")).opened).toBe(2);
  const back = (await heard(page, "hosted")).ids.length;
  await expect.poll(async () => (await heard(page, "hosted")).ids.length).toBeGreaterThan(back);

  // After the end it comes back once more, and is told to stay away.
  await server.call(token, "DELETE", `/api/generations/${id}/preview`);
  await expect.poll(() => readyState(page, "hosted")).toBe(CLOSED);
  const all = await heard(page, "hosted");
  expect([all.end, all.opened, all.messages.at(-1)]).toEqual(["stopped", 2, "Stopped"]);
  expect(all.ids).toEqual(all.ids.map((_, place) => place + 1));
  const ticks = all.messages.filter((message) => message.startsWith("tick "));
  expect(ticks).toEqual(ticks.map((_, number) => `tick ${number}`));
  host.close();
  for (const one of [id, other]) await forget(server, token, one);
});
