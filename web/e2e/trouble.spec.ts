import { expect, GREETER, look, project, test } from "./fixtures";
import { Server } from "./server";

test("a full house offers to stop the other preview", async ({ page, open, server, token }) => {
  const ids = [];
  for (const name of ["first", "second", "third"])
    ids.push(await server.upload(token, name, project(GREETER)));
  for (const id of ids.slice(0, 2))
    await server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
  await open(`/g/${ids[2]}`);
  await page
    .getByRole("region", { name: "Try this backend" })
    .getByRole("button", { name: "Launch" })
    .click();
  await expect(page.getByRole("alert")).toContainText("limit");
  await look(page, "limit");
  await page.getByRole("button", { name: /^Stop .* and launch$/ }).click();
  await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  for (const id of ids) await server.call(token, "DELETE", `/api/generations/${id}`);
});

test("a server that crashes and returns: the page says so, and goes on where it was", async ({
  page,
  open,
  server,
  token,
}) => {
  const id = await server.upload(token, "survivor", project(GREETER));
  await server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
  await open(`/g/${id}`);
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log").getByText("greeting you")).toHaveCount(1);
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
  await server.call(token, "DELETE", `/api/generations/${id}`);
});

test("a preview whose time is up: warned of, then said", async ({ page }) => {
  const server = await Server.start("--session-timeout", "20");
  const token = server.token();
  try {
    const id = await server.upload(token, "short", project(GREETER));
    const launch = () => server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
    // Installing its packages may take the first one's whole time.
    await launch();
    await server.call(token, "DELETE", `/api/generations/${id}/preview`);
    await launch();
    await page.goto(`${server.url}/g/${id}#token=${token}`);
    await expect(page.getByText("Expires in")).toBeVisible();
    await look(page, "expiring");
    await expect(page.getByRole("heading", { name: "Expired" })).toBeVisible({ timeout: 30_000 });
    await expect(page.getByText("Ended (expired)")).toBeVisible();
    await look(page, "expired");
  } finally {
    await server.remove(token);
  }
});

test("another user's generation, and one that is not there", async ({ page, open, server, token }) => {
  const id = await server.upload(server.token("grace"), "hers", project(GREETER));
  await open(`/g/${id}`);
  await expect(page.getByRole("heading", { name: "Not yours" })).toBeVisible();
  await look(page, "forbidden");
  await open("/g/gen_000000000000000000000000");
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  await look(page, "not-found");
  await page.goto(`${server.url}/g/${id}#token=not-a-token`);
  await expect(page.getByRole("heading", { name: "Sign in to previewd" })).toBeVisible();
  expect(token).not.toBe("");
  await server.call(server.token("grace"), "DELETE", `/api/generations/${id}`);
});
