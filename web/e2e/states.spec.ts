import { SLOW_START, UNHEALTHY } from "./apps";
import { expect, forget, GREETER, hold, launched, look, project, test } from "./fixtures";

test.describe.configure({ mode: "parallel" });

const card = "Try this backend";

test("launching: its phases, its log, and a way out", async ({ page, open, server, token }) => {
  const id = await server.upload(token, "slow", project(SLOW_START));
  await open(`/g/${id}`);
  await page.getByRole("region", { name: card }).getByRole("button", { name: "Launch" }).click();
  await expect(page.getByRole("heading", { name: "Launching" })).toBeVisible();
  await expect(page.getByRole("log").getByText("warming up")).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("listitem").filter({ hasText: "under way" })).toContainText("warming up");
  await look(page, "launching");
  await page.getByRole("region", { name: "Launching" }).getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("heading", { name: "Stopped" })).toBeVisible();
  await expect(page.getByRole("log").getByText("warming up")).toBeVisible();
  await forget(server, token, id);
});

test("unhealthy: it runs, and its own health route says that it is not well", async ({
  page,
  open,
  server,
  token,
}) => {
  const id = await server.upload(token, "ill", project(UNHEALTHY));
  await launched(server, token, id);
  await open(`/g/${id}`);
  await expect(page.getByText("Unhealthy", { exact: true })).toBeVisible();
  await look(page, "unhealthy");
  await page.getByRole("button", { name: "GET /hello" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("status").filter({ hasText: "200 OK" })).toBeVisible();
  await forget(server, token, id);
});

test("asleep: it says so, and a request wakes it", async ({ page, open, server, token }) => {
  const id = await server.upload(token, "sleeper", project(GREETER));
  const before = await server.restart(["--idle-action", "sleep", "--inactive-timeout", "2"]);
  try {
    await launched(server, token, id);
    await open(`/g/${id}`);
    await expect(page.getByText("Asleep", { exact: true })).toBeVisible();
    await expect(page.getByText("Send the request to wake it")).toBeVisible();
    await look(page, "asleep");
    await page.getByRole("button", { name: "Send" }).click();
    await expect(page.getByRole("status").filter({ hasText: "200 OK" })).toBeVisible();
    await expect(page.getByRole("log").getByText(/^Awake after/)).toBeVisible();
  } finally {
    await server.restart(before);
  }
  await forget(server, token, id);
});

test("expiring, then expired: warned of, said, and its log stays", async ({ page, open, server, token }) => {
  const id = await server.upload(token, "short", project(GREETER));
  const before = await server.restart(["--session-timeout", "290"]);
  try {
    await launched(server, token, id);
    await open(`/g/${id}`);
    await expect(page.getByText("ends in less than five minutes")).toBeVisible();
    await look(page, "expiring");
    await page.getByRole("button", { name: "Dismiss" }).click();
    await expect(page.getByText("ends in less than five minutes")).toBeHidden();
    // Nobody waits for the end of that one, or is to be done with looking before it.
    await server.call(token, "DELETE", `/api/generations/${id}/preview`);
    await server.restart(["--session-timeout", "10"]);
    await launched(server, token, id);
    await expect(page.getByRole("heading", { name: "Expired" })).toBeVisible({ timeout: 40_000 });
    await expect(page.getByText("Ended (expired)")).toBeVisible();
    await expect(page.getByRole("log").getByText("Ready in")).toBeVisible();
    await look(page, "expired");
  } finally {
    await server.restart(before);
  }
  await page.getByRole("region", { name: "Expired" }).getByRole("button", { name: "Relaunch" }).click();
  await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  await forget(server, token, id);
});

test("reloading: says so while the new code starts", async ({ page, open, server, token }) => {
  const id = await server.upload(token, "reloading", project(GREETER));
  await launched(server, token, id);
  await open(`/g/${id}`);
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByRole("button", { name: "main.py" }).click();
  await page.getByRole("textbox", { name: "Text of app/main.py" }).click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(SLOW_START);
  await page.getByRole("button", { name: "Save and reload" }).click();
  await expect(page.getByText("Reloading", { exact: true })).toBeVisible();
  await look(page, "reloading");
  await forget(server, token, id);
});

test("a sign-in that is no longer valid; what is another's, and what is not there", async ({
  page,
  open,
  server,
  token,
}) => {
  const id = await server.upload(token, "signed-out", project(GREETER));
  await open(`/g/${id}`);
  await expect(page.getByRole("heading", { name: card })).toBeVisible();
  await page.evaluate(() => sessionStorage.setItem("previewd.token", "no-longer-valid"));
  await expect(page.getByText("Your sign-in is no longer valid")).toBeVisible();
  await look(page, "signed-out");
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: card })).toBeVisible();
  await forget(server, token, id);

  const hers = await server.upload(server.token("grace"), "hers", project(GREETER));
  await open(`/g/${hers}`);
  await expect(page.getByRole("heading", { name: "Not yours" })).toBeVisible();
  await look(page, "forbidden");
  await open("/g/gen_000000000000000000000000");
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  await look(page, "not-found");
  await forget(server, server.token("grace"), hers);
});

test("a full house offers to stop the other preview", async ({ page, open, server, token }) => {
  const before = await server.restart(["--max-instances-per-user", "1"]);
  const other = await server.upload(token, "the other one", project(GREETER));
  const id = await server.upload(token, "one too many", project(GREETER));
  await launched(server, token, other);
  await open(`/g/${id}`);
  await page.getByRole("region", { name: card }).getByRole("button", { name: "Launch" }).click();
  await expect(page.getByRole("alert")).toContainText("limit");
  await look(page, "limit");
  await page.getByRole("button", { name: "Stop “the other one” and launch" }).click();
  await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  await server.restart(before);
  for (const one of [id, other]) await forget(server, token, one);
});

test("a preview that somebody else has launched meanwhile can be taken over", async ({
  page,
  open,
  server,
  token,
}) => {
  const id = await server.upload(token, "twice", project(GREETER));
  await open(`/g/${id}`);
  const button = page.getByRole("region", { name: card }).getByRole("button", { name: "Launch" });
  await expect(button).toBeVisible();
  // The page learns nothing new for as long as its question is on the way.
  const release = await hold(page, "**/preview/status");
  const instance = async () =>
    (await server.call(token, "GET", `/api/generations/${id}/preview/status`)).previewInstanceId;
  await launched(server, token, id);
  const theirs = await instance();
  await button.click();
  await expect(page.getByRole("button", { name: "Stop it and launch anew" })).toBeVisible();
  await look(page, "already-running");
  release();
  await page.getByRole("button", { name: "Stop it and launch anew" }).click();
  await expect.poll(async () => [theirs, undefined].includes(await instance())).toBe(false);
  await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("alert")).toHaveCount(0);
  await forget(server, token, id);
});

test("the stream: connecting, lost for a reason, and where it was after a crash of the server", async ({
  page,
  open,
  server,
  token,
}) => {
  const id = await server.upload(token, "stream", project(GREETER));
  await launched(server, token, id);
  let answer = (_status: number) => {};
  const decided = new Promise<number>((resolve) => {
    answer = resolve;
  });
  await page.route("**/logs/stream", async (route) => {
    const status = await decided;
    await (status === 200 ? route.continue() : route.fulfill({ status, body: "" })).catch(() => {});
  });
  await open(`/g/${id}`);
  await expect(page.getByText("Connecting", { exact: true })).toBeVisible();
  await look(page, "stream-connecting", "Logs");
  answer(403);
  await expect(page.getByText("This log belongs to another user")).toBeVisible();
  await look(page, "stream-lost", "Logs");
  await page.unroute("**/logs/stream");
  await page.getByRole("button", { name: "Retry now" }).click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(page.getByRole("log").getByText("Ready in")).toHaveCount(1);

  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log").getByText("greeting you")).toHaveCount(1);
  await expect(page.getByRole("textbox", { name: "Response body" })).toContainText("Hello, you");
  await server.kill();
  await expect(page.getByText("Reconnecting in")).toBeVisible();
  await expect(page.getByText("The server cannot be reached")).toBeVisible();
  await look(page, "offline");
  await server.up();
  await expect(page.getByText("Live", { exact: true })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByText("The server cannot be reached")).toBeHidden();
  await expect(page.getByRole("log").getByText("greeting you")).toHaveCount(1);
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log").getByText("greeting you")).toHaveCount(2);
  await forget(server, token, id);
});
