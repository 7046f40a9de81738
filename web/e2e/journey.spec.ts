import { expect, GREETER, look, project, test } from "./fixtures";
import { SAMPLE } from "./server";

test.describe.configure({ mode: "parallel" });

test("from a folder to a request and its log line, in three clicks after the upload", async ({
  page,
  open,
}) => {
  await open("/");
  await expect(page.getByRole("heading", { name: "Run a generated backend" })).toBeVisible();
  await look(page, "home-empty");
  await page.getByLabel("Folder to upload").setInputFiles(SAMPLE);
  await expect(page.getByRole("heading", { name: "Try this backend" })).toBeVisible();
  await expect(page.getByRole("button", { name: "GET /authors", exact: true })).toBeVisible();
  await look(page, "idle");

  await page
    .getByRole("region", { name: "Try this backend" })
    .getByRole("button", { name: "Launch" })
    .click();
  await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  await page.getByRole("button", { name: "Send" }).click();

  await expect(page.getByRole("status").filter({ hasText: "200 OK" })).toBeVisible();
  await expect(page.getByRole("log").getByText("GET /authors 200 OK")).toBeVisible();
  await look(page, "running");

  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("heading", { name: "Stopped" })).toBeVisible();
  await expect(page.getByRole("log").getByText("GET /authors 200 OK")).toBeVisible();
  await look(page, "stopped");
});

test("the token leaves the address bar and stays for the session", async ({ page, open, server }) => {
  await open("/");
  expect(page.url()).not.toContain("token");
  await page.reload();
  await expect(page.getByRole("heading", { name: "Run a generated backend" })).toBeVisible();
  await page.evaluate(() => sessionStorage.clear());
  await page.goto(`${server.url}/g/gen_x`);
  await expect(page.getByRole("heading", { name: "Sign in to previewd" })).toBeVisible();
  await look(page, "sign-in");
});

test("code that does not start: the traceback, and a way back", async ({ page, open, server, token }) => {
  const broken = GREETER.replace("from fastapi import FastAPI", "import yaml\nfrom fastapi import FastApi");
  const id = await server.upload(token, "broken", project(broken));
  await open(`/g/${id}`);
  await expect(page.getByRole("list", { name: "Before you launch" })).toContainText("yaml");
  await look(page, "idle-warned");
  await page
    .getByRole("region", { name: "Try this backend" })
    .getByRole("button", { name: "Launch" })
    .click();
  const failure = page.getByRole("region", { name: "Failure" });
  await expect(failure).toBeVisible({ timeout: 60_000 });
  await expect(failure.getByText("No module named 'yaml'").first()).toBeVisible();
  await look(page, "failed");

  // From the traceback to the line that it is about.
  await failure.getByRole("button", { name: "Open app/main.py:2" }).click();
  const editor = page.getByRole("textbox", { name: "Text of app/main.py" });
  await expect(editor).toBeFocused();
  await page.keyboard.insertText("# ");
  await expect(editor).toContainText("# import yaml");
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(GREETER);
  await page.keyboard.press("Control+s");
  await expect(page.getByText("The next launch runs it")).toBeVisible();
  await page.getByRole("button", { name: "Retry" }).first().click();
  await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  await server.call(token, "DELETE", `/api/generations/${id}`);
});

test("saving a file moves the running preview; code that fails leaves the old serving", async ({
  page,
  open,
  server,
  token,
}) => {
  const id = await server.upload(token, "reloads", project(GREETER));
  await server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
  await open(`/g/${id}`);
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByRole("button", { name: "main.py" }).click();
  const editor = page.getByRole("textbox", { name: "Text of app/main.py" });
  await editor.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(GREETER.replace("Hello,", "Good day,"));
  await page.getByRole("button", { name: "Save and reload" }).click();
  await expect(page.getByText("The preview runs the new code")).toBeVisible();
  await look(page, "file-saved");
  // What is not saved is still there after a look at something else.
  await page.getByRole("textbox", { name: "Text of app/main.py" }).click();
  await page.keyboard.insertText("# unfinished");
  await page.getByRole("tab", { name: "Endpoints" }).click();
  await page.getByRole("button", { name: "GET /hello" }).click();
  await page.getByRole("tab", { name: "Files" }).click();
  await page.getByRole("button", { name: "main.py not saved" }).click();
  await expect(editor).toContainText("# unfinished");

  await editor.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText("raise RuntimeError('broken on purpose')\n");
  await page.getByRole("button", { name: "Save and reload" }).click();
  await expect(page.getByText("the old goes on serving")).toBeVisible();
  await look(page, "file-refused");

  await page.getByRole("tab", { name: "Endpoints" }).click();
  await page.getByRole("button", { name: "GET /hello" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByText("Good day, you")).toBeVisible();
  await server.call(token, "DELETE", `/api/generations/${id}`);
});
