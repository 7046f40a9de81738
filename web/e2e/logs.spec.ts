import { expect, look, project, test } from "./fixtures";

const PRINTER = `
import sys

from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health() -> str:
    return "ok"


@app.get("/print")
def print_lines(count: int, label: str = "line") -> int:
    for number in range(count):
        sys.stdout.write(f"{label} {number}\\n")
    sys.stdout.flush()
    return count
`;

test.describe("a long log", () => {
  let id = "";

  test.beforeAll(async ({ server, token }) => {
    id = await server.upload(token, "printer", project(PRINTER));
    await server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
  });
  test.afterAll(async ({ server, token }) => {
    await server.call(token, "DELETE", `/api/generations/${id}`);
  });

  const print = async (server: import("./server").Server, token: string, count: number, label: string) => {
    const { previewToken } = await server.call(token, "GET", `/api/generations/${id}/preview/status`);
    return server.call(token, "POST", `/api/generations/${id}/preview/request`, {
      method: "GET",
      path: "/print",
      query: { count, label },
      headers: { "X-Preview-Token": previewToken },
    });
  };

  test("follows its tail, stays put while read, and follows again", async ({ page, open, server, token }) => {
    await open(`/g/${id}`);
    const log = page.getByRole("log");
    await print(server, token, 500, "early");
    await expect(log.getByText("early 499")).toBeInViewport();
    await log.hover();
    await page.mouse.wheel(0, -2_000);
    await expect(page.getByRole("button", { name: "Follow" })).toBeVisible();
    const shown = async () => (await log.locator("[data-index]").allInnerTexts()).at(20);
    const top = await log.evaluate((element) => element.scrollTop);
    const before = await shown();
    await print(server, token, 300, "late");
    const more = page.getByRole("button", { name: /new lines$/ });
    await expect(more).toBeVisible();
    expect(await log.evaluate((element) => element.scrollTop)).toBe(top);
    expect(await shown()).toBe(before);
    await look(page, "log-paused");
    await more.click();
    await expect(log.getByText("late 299")).toBeInViewport();
    await expect(more).toBeHidden();
  });

  test("may be collapsed and maximised while lines come", async ({ page, open, server, token }) => {
    await open(`/g/${id}`);
    const log = page.getByRole("log");
    await page.getByRole("button", { name: "Collapse the log" }).click();
    await expect(log).toBeHidden();
    await print(server, token, 200, "unseen");
    await page.getByRole("button", { name: "Maximise the log" }).click();
    await expect(log.getByText("unseen 199")).toBeInViewport();
    await look(page, "log-maximised");
    await page.getByRole("button", { name: "Maximise the log" }).click();
    await expect(log.getByText("unseen 199")).toBeInViewport();
  });

  test("is searched with a count, forwards and backwards", async ({ page, open, server, token }) => {
    await print(server, token, 3, "needle:");
    await open(`/g/${id}`);
    await page.getByRole("log").click();
    await page.keyboard.press("Control+f");
    await page.keyboard.type("NEEDLE:");
    await page.keyboard.press("Enter");
    await expect(page.getByText("1/3")).toBeVisible();
    await page.keyboard.press("Shift+Enter");
    await expect(page.getByText("3/3")).toBeVisible();
    await look(page, "log-search");
    await page.getByRole("button", { name: "Match case" }).click();
    await expect(page.getByText("No match")).toBeVisible();
  });

  test("holds 100,000 lines in few elements and little memory", async ({ page, open, server, token }) => {
    await open(`/g/${id}`);
    await page.getByRole("heading", { name: "Logs" }).waitFor();
    await print(server, token, 100_000, "flood");
    const log = page.getByRole("log");
    await expect(log.getByText("flood 99999")).toBeInViewport({ timeout: 60_000 });
    expect(await log.locator("[data-index]").count()).toBeLessThan(120);
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    expect(usedSize / 1024 / 1024).toBeLessThan(200);
  });
});
