import { expect, forget, launched, project, test } from "./fixtures";

/** A page of the application's own, with what browsers speak beyond requests. */
const PAGE = `
import asyncio
import os
import time

from fastapi import FastAPI, File, Request, UploadFile, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

time.sleep(float(os.environ.get("SECONDS_TO_START", "0")))
app = FastAPI()
HTML = """<!doctype html><title>Own page</title><h1>The application</h1><p id=told></p><script type=module>
const told = [];
const tell = (what) => { told.push(what); document.getElementById('told').textContent = told.join(' '); };
tell((await (await fetch('/whoami')).json()).join(','));
const form = new FormData();
form.append('file', new Blob(['x'.repeat(300000)]), 'x.bin');
tell(await (await fetch('/upload', {method: 'POST', body: form})).json());
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket', ['one', 'two']);
socket.onmessage = (event) => { tell(event.data + ':' + socket.protocol); socket.close(); };
socket.onopen = () => socket.send('hello');
socket.onclose = (event) => {
  tell('closed:' + event.code);
  const events = new EventSource('/events');
  events.onmessage = (event) => { tell(event.data); if (event.data === 'event-2') events.close(); };
};
</script>"""


@app.get("/")
def page() -> HTMLResponse:
    response = HTMLResponse(HTML)
    response.set_cookie("mine", "1")
    return response


@app.get("/whoami")
def whoami(request: Request) -> list[str]:
    return [*request.cookies, request.headers["x-forwarded-proto"]]


@app.post("/upload")
async def upload(file: UploadFile = File()) -> int:
    return len(await file.read())


@app.websocket("/socket")
async def talk(socket: WebSocket) -> None:
    await socket.accept(subprotocol="two")
    await socket.send_text(await socket.receive_text())
    await socket.receive()


@app.get("/events")
async def events() -> StreamingResponse:
    async def lines():
        for number in range(3):
            yield f"data: event-{number}\\n\\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(lines(), media_type="text/event-stream")


@app.get("/away")
def away() -> RedirectResponse:
    return RedirectResponse("/#back")
`;

test("a preview's own address in a browser", async ({ page, server, token }) => {
  const id = await server.upload(token, "own page", project(PAGE));
  // Its packages are there afterwards, so that a launch is what the application takes.
  await launched(server, token, id);
  await server.call(token, "DELETE", `/api/generations/${id}/preview`);
  const launch = await server.call(token, "POST", `/api/generations/${id}/preview/launch?wait=false`, {
    env: { SECONDS_TO_START: "8" },
  });
  await page.goto(`${launch.baseUrl}/?preview_token=${launch.previewToken}`);
  await expect(page.getByRole("heading", { name: "This preview is starting" })).toBeVisible();
  // The page looks again by itself.
  await expect(page.getByRole("heading", { name: "The application" })).toBeVisible({ timeout: 30_000 });
  await expect(page).toHaveURL(`${launch.baseUrl}/`);
  const told = "mine,http 300000 hello:two closed:1005 event-0 event-1 event-2";
  await expect(page.locator("#told")).toHaveText(told);
  await page.goto(`${launch.baseUrl}/away`);
  await expect(page).toHaveURL(`${launch.baseUrl}/#back`);
  // It has asked for everything again: nothing is under way when its cookie goes.
  await expect(page.locator("#told")).toHaveText(told);
  // The API is another origin, which its pages may neither read nor have anything done by, whatever token they found.
  const stranger = await page.context().newPage();
  await stranger.goto(launch.baseUrl);
  const calls = await stranger.evaluate(
    ([url, token]) => {
      const headers = { Authorization: `Bearer ${token}` };
      const call = (init: RequestInit) =>
        fetch(`${url}/api/projects`, init).then(String, (error) => error.name);
      return Promise.all([call({}), call({ headers }), call({ method: "POST", headers, body: "{}" })]);
    },
    [server.url, token],
  );
  expect(calls).toEqual(["TypeError", "TypeError", "TypeError"]);
  await stranger.close();
  // Whoever has not come through the door stays outside.
  await page.context().clearCookies();
  await page.goto(launch.baseUrl);
  await expect(page.getByRole("heading", { name: "This preview is not open to you" })).toBeVisible();
  await forget(server, token, id);
});
