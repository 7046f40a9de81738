import type { Locator } from "@playwright/test";
import { clickOn, expect, forget, launched, look, project, test } from "./fixtures";
import type { Server } from "./server";

const PRINTER = `
import logging
import sys

from fastapi import FastAPI

app = FastAPI()
log = logging.getLogger("printer")


@app.get("/health")
def health() -> str:
    return "ok"


@app.get("/print")
def print_lines(count: int, label: str = "line") -> int:
    for number in range(count):
        sys.stdout.write(f"{label} {number}\\n")
    sys.stdout.flush()
    return count


@app.get("/complain")
def complain() -> str:
    log.debug("counting the books")
    log.warning("the shelf is full")
    try:
        raise ValueError("no such shelf")
    except ValueError:
        log.exception("could not complain")
    return "complained"
`;

/** Where a list has come to rest, `px` from its end at the least: scrolling goes on after the page has heard of it. */
const rest = (list: Locator, px: number) =>
  list.evaluate(
    (element, px) =>
      new Promise<number>((done) => {
        let top = -1;
        let frames = 0;
        const look = () => {
          const { scrollTop, scrollHeight, clientHeight } = element;
          const still = scrollTop === top && scrollHeight - clientHeight - scrollTop >= px;
          frames = still ? frames + 1 : 0;
          top = scrollTop;
          if (frames === 10) done(top);
          else requestAnimationFrame(look);
        };
        look();
      }),
    px,
  );

test.describe("a long log", () => {
  let id = "";

  test.beforeAll(async ({ server, token }) => {
    id = await server.upload(token, "printer", project(PRINTER));
    await launched(server, token, id);
  });
  test.afterAll(async ({ server, token }) => forget(server, token, id));

  const request = async (
    server: Server,
    token: string,
    path: string,
    query: Record<string, unknown> = {},
  ) => {
    const { previewToken } = await server.call(token, "GET", `/api/generations/${id}/preview/status`);
    const headers = { "X-Preview-Token": previewToken };
    return server.call(token, "POST", `/api/generations/${id}/preview/request`, {
      ...{ method: "GET", path, query, headers },
    });
  };
  const print = (server: Server, token: string, count: number, label: string) =>
    request(server, token, "/print", { count, label });

  test("follows its tail, stays put while read, follows again, and may be collapsed meanwhile", async ({
    page,
    open,
    server,
    token,
  }) => {
    await open(`/g/${id}`);
    const log = page.getByRole("log");
    await print(server, token, 500, "early");
    await expect(log.getByText("early 499")).toBeInViewport();
    // The last line that this request says: none is to come while the reader is elsewhere.
    await expect(log.getByText("GET /print").last()).toBeInViewport();
    await log.hover();
    await page.mouse.wheel(0, -2_000);
    await expect(page.getByRole("button", { name: "Follow" })).toBeVisible();
    const shown = async () => (await log.locator("[data-index]").allInnerTexts()).at(20);
    const top = await rest(log, 1_000);
    const before = await shown();
    await print(server, token, 300, "late");
    const more = page.getByRole("button", { name: /new lines$/ });
    await expect(more).toBeVisible();
    expect(await log.evaluate((element) => element.scrollTop)).toBe(top);
    expect(await shown()).toBe(before);
    await look(page, "log-paused", "Logs");
    await more.click();
    await expect(log.getByText("late 299")).toBeInViewport();
    await expect(more).toBeHidden();

    await page.getByRole("button", { name: "Collapse the log" }).click();
    await expect(log).toBeHidden();
    await print(server, token, 200, "unseen");
    await page.getByRole("button", { name: "Maximise the log" }).click();
    await expect(log.getByText("unseen 199")).toBeInViewport();
    await look(page, "log-maximised");
    await page.getByRole("button", { name: "Maximise the log" }).click();
    await expect(log.getByText("unseen 199")).toBeInViewport();
  });

  test("is searched with a count, forwards and backwards; a bad regular expression harms nobody", async ({
    page,
    open,
    server,
    token,
  }) => {
    await print(server, token, 3, "needle:");
    await open(`/g/${id}`);
    await page.getByRole("log").click();
    await page.keyboard.press("Control+f");
    await page.keyboard.type("NEEDLE:");
    await page.keyboard.press("Enter");
    await expect(page.getByText("1/3")).toBeVisible();
    // What can be done with a line is there for those without a mouse too, once it is found.
    const found = page.getByRole("log").locator("[data-index]", { hasText: "needle: 0" });
    await expect(found.getByRole("button", { name: /^Copy a link/ })).toBeVisible();
    await page.keyboard.press("Shift+Enter");
    await expect(page.getByText("3/3")).toBeVisible();
    await look(page, "log-search", "Logs");
    await page.getByRole("button", { name: "Match case" }).click();
    await expect(page.getByText("No match")).toBeVisible();
    await look(page, "log-no-match", "Logs");
    await page.keyboard.press("Escape");

    await print(server, token, 1, `${"a".repeat(40)}! pattern`);
    await print(server, token, 12, "pattern");
    const search = page.getByLabel("Search the log");
    await search.fill("pattern (1|2)$");
    await page.getByRole("button", { name: "Regular expression" }).click();
    await expect(page.getByText("0/2")).toBeVisible();
    await search.fill("(");
    await expect(page.getByText("Not a regular expression")).toBeVisible();
    await search.fill("^(a+)+b");
    await expect(page.getByText("Takes too long")).toBeVisible();
    await look(page, "log-bad-pattern", "Logs");
    await search.fill("pattern");
    await expect(page.getByText("0/15")).toBeVisible();
  });

  test("is gone through by who presses Enter before there is a match", async ({
    page,
    open,
    server,
    token,
  }) => {
    await print(server, token, 300, "early bird");
    let read = () => {};
    const reading = new Promise<void>((resolve) => {
      read = resolve;
    });
    await page.route("**/logs/stream", async (route) => {
      await reading;
      await route.continue();
    });
    await open(`/g/${id}`);
    const log = page.getByRole("log");
    const search = page.getByLabel("Search the log");
    await search.fill("early bird 42");
    await search.press("Enter");
    await expect(page.getByText("No match")).toBeVisible();
    read();
    await expect(log.getByText("early bird 42", { exact: true })).toBeInViewport();
    await expect(page.getByText("1/1")).toBeVisible();
    await page.getByRole("button", { name: "Regular expression" }).click();
    await search.fill("early bird 4[12]$");
    await search.press("Enter");
    await expect(page.getByText("1/2")).toBeVisible();
    await expect(log.getByText("early bird 41", { exact: true })).toBeInViewport();
  });

  test("can be linked to, copied and saved", async ({ page, open, server, token }) => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await print(server, token, 300, "linked");
    await open(`/g/${id}`);
    const log = page.getByRole("log");
    await page.getByLabel("Search the log").fill("linked 42");
    await page.keyboard.press("Enter");
    const row = log.locator("[data-index]", { has: page.getByText("linked 42", { exact: true }) });
    await expect(row).toBeInViewport();
    await row.hover();
    await row.getByRole("button", { name: /^Copy a link/ }).click();
    await expect(row.getByRole("button", { name: "Copied" })).toBeVisible();
    const link = await copied();
    expect(link).toMatch(/\/g\/gen_\w+#L\d+$/);
    await row.getByRole("button", { name: /^Copy line/ }).click();
    await expect.poll(copied).toMatch(/^\S+ INFO \[app\] linked 42$/);

    await page.goto("about:blank");
    await page.goto(link);
    await expect(log.locator("[data-marked]")).toHaveText(/linked 42/);
    await expect(log.locator("[data-marked]")).toBeInViewport();
    await expect(page.getByRole("button", { name: /^(Follow|\d+ new)/ })).toBeVisible();
    await look(page, "log-linked", "Logs");

    await page.getByRole("button", { name: "More log actions" }).click();
    await page.getByRole("menuitem", { name: "Copy all lines" }).click();
    await expect
      .poll(async () => (await copied()).split("\n").filter((one) => / linked \d+$/.test(one)).length)
      .toBe(300);
    await page.getByRole("button", { name: "More log actions" }).click();
    const download = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: "Download" }).click();
    expect((await download).suggestedFilename()).toMatch(/\.log$/);
    await page.getByRole("button", { name: "More log actions" }).click();
    await page.getByRole("menuitem", { name: "Clear view" }).click();
    await expect(log.locator("[data-index]")).toHaveCount(0);
    await print(server, token, 1, "after clearing");
    await expect(log.getByText("after clearing 0")).toBeVisible();
  });

  test("wraps or not, with times or not, and remembers it; is narrowed by level, and shown whole again", async ({
    page,
    open,
    server,
    token,
  }) => {
    await open(`/g/${id}`);
    await print(server, token, 1, "long ".repeat(100));
    const log = page.getByRole("log");
    const wide = () => log.evaluate((element) => element.scrollWidth > element.clientWidth + 200);
    await expect(log.getByText("long long").last()).toBeVisible();
    expect(await wide()).toBe(false);
    await page.getByRole("button", { name: "Wrap lines" }).click();
    await expect.poll(wide).toBe(true);
    await page.getByRole("button", { name: "Show times" }).click();
    await expect(log.locator("time")).toHaveCount(0);
    await look(page, "log-unwrapped", "Logs");
    await page.reload();
    await expect(log.getByText("long long").last()).toBeVisible();
    await expect(log.locator("time")).toHaveCount(0);
    await expect.poll(wide).toBe(true);
    await page.getByRole("button", { name: "Wrap lines" }).click();
    await page.getByRole("button", { name: "Show times" }).click();

    await request(server, token, "/complain");
    await expect(log.getByText("the shelf is full").last()).toBeVisible();
    await page.getByRole("button", { name: /^Info/ }).click();
    await expect(log.getByText("Application startup complete")).toHaveCount(0);
    const traceback = log.getByRole("button", { name: /ValueError: no such shelf/ }).last();
    await expect(traceback).toHaveAttribute("aria-expanded", "false");
    await traceback.click();
    await expect(log.getByText("in complain").last()).toBeVisible();
    await look(page, "log-levels", "Logs");
    await clickOn(log.locator("[data-index]", { hasText: "the shelf is full" }).last(), /among all lines$/);
    await expect(log.locator("[data-marked]")).toContainText("the shelf is full");
    await expect(log.locator("[data-marked]")).toBeInViewport();
    await expect(page.getByRole("button", { name: /^Info/ })).toHaveAttribute("aria-pressed", "true");
  });

  test("holds 100,000 lines in few elements and little memory", async ({ page, open, server, token }) => {
    // It is much to draw for a browser that has a share of one processor.
    test.setTimeout(240_000);
    await open(`/g/${id}`);
    await page.getByRole("heading", { name: "Logs" }).waitFor();
    await print(server, token, 100_000, "flood");
    const log = page.getByRole("log");
    await expect(log.getByText("flood 99999")).toBeInViewport({ timeout: 150_000 });
    expect(await log.locator("[data-index]").count()).toBeLessThan(120);
    const session = await page.context().newCDPSession(page);
    const used = async () => {
      await session.send("HeapProfiler.collectGarbage");
      return (await session.send("Runtime.getHeapUsage")).usedSize / 1024 / 1024;
    };
    // What a last frame holds is let go of after it.
    await expect.poll(used).toBeLessThan(200);
  });
});
