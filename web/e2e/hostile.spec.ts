import { expect, look, project, test } from "./fixtures";

/** What a preview says is shown as text, whatever it is. */
const HOSTILE = `
import sys

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI()
MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@app.get("/health")
def health() -> str:
    return "ok"


@app.get("/page", description="[x](javascript:alert(3)) " + MARKUP, tags=[MARKUP])
def page() -> HTMLResponse:
    print(MARKUP)
    print("\\x1b[31mred\\x1b[0m \\x1b]8;;javascript:alert(4)\\x07link\\x1b]8;;\\x07 user\\u202egnp.exe")
    sys.stdout.flush()
    return HTMLResponse(MARKUP, headers={"X-Note": MARKUP})
`;

test("markup, scripts, links and control characters of a preview never run", async ({
  page,
  open,
  server,
  token,
}) => {
  const files = { ...project(HOSTILE), "app/<img src=x onerror=alert(5)>.py": "" };
  const id = await server.upload(token, "<b>hostile</b>", files);
  await server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
  await open(`/g/${id}`);
  await page.getByRole("button", { name: "GET /page" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  const log = page.getByRole("log");
  await expect(log.getByText("<img src=x onerror=alert(1)>").first()).toBeVisible();
  await expect(log.getByText("red", { exact: true })).toHaveClass("ansi-red");
  await expect(log.getByText("gnp.exe")).not.toContainText("\u202e");
  await expect(page.getByText("<script>alert(2)</script>").first()).toBeVisible();
  await expect(page.locator("img[src=x]")).toHaveCount(0);
  await expect(page.locator('a[href^="javascript"]')).toHaveCount(0);
  await page
    .getByRole("region", { name: "Response" })
    .getByRole("tab", { name: /^Headers/ })
    .click();
  await page.getByRole("tab", { name: "Files" }).click();
  await expect(page.getByRole("button", { name: "<img src=x onerror=alert(5)>.py" })).toBeVisible();
  await look(page, "hostile");
  await open("/");
  await expect(page.getByRole("heading", { name: "<b>hostile</b>" })).toBeVisible();
  await server.call(token, "DELETE", `/api/generations/${id}`);
});
