import { readFileSync } from "node:fs";
import { clickOn, expect, GREETER, look, project, test } from "./fixtures";
import { SAMPLE } from "./server";

test.describe.configure({ mode: "parallel" });

test("sign in once, use the token, see refused fields, replay", async ({ page, open, server, token }) => {
  await open("/");
  await page.getByLabel("Folder to upload").setInputFiles(SAMPLE);
  await page
    .getByRole("region", { name: "Try this backend" })
    .getByRole("button", { name: "Launch" })
    .click();
  await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  const answer = page.getByRole("region", { name: "Response" });

  await page.getByRole("button", { name: "POST /auth/token" }).click();
  await page.getByLabel("Value of username").fill("demo");
  await page.getByLabel("Value of password").fill("demo");
  await page.keyboard.press("Control+Enter");
  await expect(answer.getByText("200 OK")).toBeVisible();

  await page.getByRole("button", { name: "GET /auth/me" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await expect(answer.getByText("200 OK")).toBeVisible();

  await page.getByRole("button", { name: /^POST \/books needs/ }).click();
  const body = page.getByRole("textbox", { name: "Request body" });
  await body.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText('{"title": "", "price_cents": "much"}');
  await page.keyboard.press("Control+Enter");
  await expect(answer.getByText("422 Unprocessable")).toBeVisible();
  await expect(page.getByRole("list", { name: "Fields that were refused" })).toContainText("price_cents");
  await expect(page.locator(".cm-refused").first()).toBeVisible();
  await look(page, "refused");

  // What somebody asks at the preview's own address is in the history as well.
  const id = page.url().split("/").pop();
  const { baseUrl, previewToken } = await server.call(token, "GET", `/api/generations/${id}/preview/status`);
  const headers = { "X-Preview-Token": previewToken };
  expect((await fetch(`${baseUrl}/authors/3?fields=all`, { headers })).status).toBe(200);
  await page.getByRole("tab", { name: "History" }).click();
  const asked = page.getByRole("list", { name: "Requests" });
  await expect(asked.getByRole("listitem").first()).toContainText("/authors/3?fields=all");
  await expect(asked.getByRole("listitem").first()).toContainText("from outside");
  await look(page, "history");
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export HAR" }).click();
  const archive = readFileSync(await (await saved).path(), "utf8");
  const entries: { request: { url: string } }[] = JSON.parse(archive).log.entries;
  expect(entries.map(({ request }) => new URL(request.url).pathname)).toEqual([
    ...["/auth/token", "/auth/me", "/books", "/authors/3"],
  ]);
  expect(archive).not.toContain("password=demo");

  await asked.getByRole("button", { name: /^GET \/authors\/3/ }).click();
  await expect(answer.getByText("From the history")).toBeVisible();
  await expect(page.getByLabel("Path", { exact: true })).toHaveValue("/authors/{author_id}");
  await expect(page.getByLabel("author_id")).toHaveValue("3");
  await expect(page.getByLabel("Value of fields")).toHaveValue("all");
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("button", { name: /^Send GET \/authors\/3.* again$/ }).click();
  await expect(answer.getByText("From the history")).toBeHidden();
  await expect(answer.getByText("200 OK")).toBeVisible();

  await page.getByRole("tab", { name: "History" }).click();
  await asked.getByRole("button", { name: /^GET \/auth\/me/ }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await expect(answer.getByText("200 OK")).toBeVisible();
  await page.getByRole("button", { name: "Show logs" }).click();
  await expect(page.getByRole("log").getByText("GET /auth/me 200 OK").last()).toBeInViewport();
  const outside = page
    .getByRole("log")
    .locator("[data-index]", { hasText: "GET /authors/3?fields=all" })
    .first();
  await clickOn(outside, /^Show the request of line/);
  await expect(page.getByLabel("author_id")).toHaveValue("3");
  await server.call(token, "DELETE", `/api/generations/${id}`);
});

test("commands by keyboard: palette, shortcuts, import of curl", async ({ page, open, server, token }) => {
  const { generations } = await server.call(token, "GET", "/api/generations");
  for (const { generationId } of generations)
    await server.call(token, "DELETE", `/api/generations/${generationId}`);
  await open("/");
  await page.getByLabel("Folder to upload").setInputFiles(SAMPLE);
  await expect(page.getByRole("heading", { name: "Try this backend" })).toBeVisible();

  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await look(page, "shortcuts");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);

  await page.keyboard.press("Control+k");
  await page.getByPlaceholder("Type a command").fill("books reviews");
  await expect(page.getByRole("option", { name: "GET /books/{book_id}/reviews" })).toBeVisible();
  await look(page, "palette");
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Path", { exact: true })).toHaveValue("/books/{book_id}/reviews");

  await page.keyboard.press("Control+k");
  await page.getByPlaceholder("Type a command").fill("import");
  await page.keyboard.press("Enter");
  await page
    .getByRole("dialog", { name: "Import curl" })
    .getByRole("textbox")
    .fill("curl 'http://x/books?q=it'\\''s' -H 'Accept: */*'");
  await look(page, "import-curl");
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await expect(page.getByLabel("Path", { exact: true })).toHaveValue("/books");
  await expect(page.getByLabel("Value of q")).toHaveValue("it's");
  await server.call(token, "DELETE", `/api/generations/${page.url().split("/").pop()}`);
});

test("fits a narrow screen, one part at a time", async ({ page, open, server, token }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const id = await server.upload(token, "narrow", project(GREETER));
  await open(`/g/${id}`);
  await expect(page.getByRole("heading", { name: "Try this backend" })).toBeVisible();
  await look(page, "narrow-idle");
  const parts = page.getByRole("navigation", { name: "Parts of the page" });
  await parts.getByRole("button", { name: "Endpoints" }).click();
  await look(page, "narrow-endpoints");
  await page.getByRole("button", { name: "GET /hello" }).click();
  await expect(page.getByLabel("Path", { exact: true })).toHaveValue("/hello");
  await look(page, "narrow-request");
  await parts.getByRole("button", { name: "Logs" }).click();
  await look(page, "narrow-logs");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  await server.call(token, "DELETE", `/api/generations/${id}`);
});
