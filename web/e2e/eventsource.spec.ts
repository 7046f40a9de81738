import { expect, GREETER, project, test } from "./fixtures";

/** What a browser's own EventSource made of a stream. */
interface Heard {
  ids: number[];
  messages: string[];
  statuses: string[];
  end: string | null;
  /** EventSource's own word: 2 is closed, for good. */
  readyState: number;
}

test("a browser's own EventSource reads, resumes and is told the end", async ({ page, open, server, token }) => {
  const id = await server.upload(token, "greeter", project(GREETER));
  const base = `/api/generations/${id}/preview`;
  const { previewToken } = await server.call(token, "POST", `${base}/launch`, {});
  const greet = (name: string) =>
    server.call(token, "POST", `${base}/request`, {
      method: "GET",
      path: "/hello",
      query: { name },
      headers: { "X-Preview-Token": previewToken },
    });
  await open(`/g/${id}`);

  /** Listens until the message is heard, or, without one, until the browser gives up coming back. */
  const listen = async (query: string, until: string | null): Promise<Heard> => {
    const { ticket } = await server.call(token, "POST", `${base}/logs/ticket`);
    const url = `${base}/logs/stream?ticket=${ticket}${query}`;
    return page.evaluate(
      ([from, last]) =>
        new Promise<Heard>((done) => {
          const source = new EventSource(from as string);
          const heard: Heard = { ids: [], messages: [], statuses: [], end: null, readyState: 0 };
          const finish = () => done({ ...heard, readyState: source.readyState });
          source.onmessage = ({ data, lastEventId }) => {
            const { message } = JSON.parse(data);
            heard.ids.push(Number(lastEventId));
            heard.messages.push(message);
            if (message === last) {
              source.close();
              finish();
            }
          };
          source.addEventListener("status", ({ data }) => heard.statuses.push(JSON.parse(data).status));
          source.addEventListener("end", ({ data }) => {
            heard.end = JSON.parse(data).reason;
          });
          source.onerror = () => source.readyState === EventSource.CLOSED && finish();
        }),
      [url, until] as const,
    );
  };

  await greet("Zoë\ndata: forged\n\nid: 999\nevent: end");
  await greet("last");
  const first = await listen("", "greeting last");
  expect(first.ids).toEqual(first.ids.map((_, place) => place + 1));
  expect(first.messages).toEqual(expect.arrayContaining(["greeting Zoë", "data: forged", "id: 999", "event: end"]));
  expect([first.statuses.at(-1), first.end]).toEqual(["running", null]);

  const before = first.ids.at(-3);
  const resumed = await listen(`&lastEventId=${before}`, "greeting last");
  expect(resumed.ids).toEqual(first.ids.slice(-2));

  const ending = listen("", null);
  await server.call(token, "DELETE", base);
  const ended = await ending;
  expect([ended.end, ended.readyState]).toEqual(["stopped", 2]);
  expect(ended.ids).toEqual(ended.ids.map((_, place) => place + 1));
  await server.call(token, "DELETE", `/api/generations/${id}`);
});
