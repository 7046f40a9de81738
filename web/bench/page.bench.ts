import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "@playwright/test";
import { forget, GREETER, launched, project, test } from "../e2e/fixtures";
import { table } from "./table";

const PRINTER = `
import sys
import threading
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health() -> str:
    return "ok"


@app.get("/flood")
def flood(count: int) -> int:
    for number in range(count):
        sys.stdout.write(f"flood {number} of a line that is about as long as lines of a log usually are\\n")
    sys.stdout.flush()
    return count


def steadily(rate: int, seconds: float) -> None:
    start = time.monotonic()
    printed = 0
    while (passed := time.monotonic() - start) < seconds:
        while printed < passed * rate:
            sys.stdout.write(f"steady {printed} of a line that is about as long as lines of a log usually are\\n")
            printed += 1
        sys.stdout.flush()
        time.sleep(0.01)
    print("steady is done")


@app.get("/steady")
def steady(rate: int, seconds: float) -> str:
    threading.Thread(target=steadily, args=(rate, seconds)).start()
    return "begun"
`;

test.setTimeout(180_000);
const figures = table("The page");

test("the first paint, and how soon a launch is seen", async ({ page, open, server, token }) => {
  const id = await server.upload(token, "greeter", project(GREETER));
  await launched(server, token, id);
  await server.call(token, "DELETE", `/api/generations/${id}/preview`);
  await open(`/g/${id}`);
  const start = page
    .getByRole("region", { name: "Try this backend" })
    .or(page.getByRole("region", { name: "Stopped" }));
  const button = start.getByRole("button", { name: /aunch$/ });
  const paints: number[] = [];
  const ready: number[] = [];
  for (let round = 0; round < 7; round++) {
    await page.reload();
    await button.waitFor();
    ready.push(await page.evaluate(() => performance.now()));
    paints.push(await page.evaluate(firstPaint));
  }
  const size = await loadedBefore(page, paints.at(-1) ?? 0);
  figures.add({ what: "what is loaded before the first paint, gzip", value: size, unit: "kB", most: 150 });
  figures.add({ what: "first contentful paint", value: median(paints), unit: "ms", most: 1_000 });
  figures.add({ what: "until Launch can be pressed", value: median(ready), unit: "ms", most: 1_000 });

  const late: number[] = [];
  for (let round = 0; round < 7; round++) {
    const seen = await page.evaluate(launchAndWatch);
    const line = await page
      .getByRole("log")
      .getByText(/^Ready in/)
      .last()
      .innerText();
    late.push(seen - Number(/Ready in (\d+) ms/.exec(line)?.[1]));
    await page.getByRole("button", { name: "Stop" }).click();
    await button.waitFor();
  }
  figures.add({
    what: "click on Launch to Running, beyond the launch",
    value: median(late),
    unit: "ms",
    most: 300,
  });
  await forget(server, token, id);
});

test("a log of 100,000 lines, and one of 2,000 lines a second", async ({
  page,
  open,
  browser,
  server,
  token,
}) => {
  const id = await server.upload(token, "printer", project(PRINTER));
  await launched(server, token, id);
  await open(`/g/${id}`);
  const log = page.getByRole("log");
  const ask = async (path: string, query: Record<string, number>) => {
    const { previewToken } = await server.call(token, "GET", `/api/generations/${id}/preview/status`);
    const headers = { "X-Preview-Token": previewToken };
    await server.call(token, "POST", `/api/generations/${id}/preview/request`, {
      method: "GET",
      path,
      query,
      headers,
    });
  };
  await ask("/steady", { rate: 2_000, seconds: 12 });
  await page.waitForFunction(shows, 3_000);
  const { fps, worst, lines } = await page.evaluate(countFrames);
  figures.add({ what: "following 2,000 lines/s: frames/s", value: fps, unit: "", least: 50 });
  figures.add({ what: "following 2,000 lines/s: longest frame", value: worst, unit: "ms" });
  figures.add({ what: "following 2,000 lines/s: lines shown/s", value: lines, unit: "" });
  await log.getByText("steady is done").waitFor({ timeout: 60_000 });

  await ask("/flood", { count: 100_000 });
  await log.getByText("flood 99999 ", { exact: false }).waitFor({ timeout: 60_000 });
  const memory = await memoryOf(page, browser);
  figures.add({ what: "100,000 lines: JavaScript heap", value: memory.heap, unit: "MB" });
  figures.add({
    what: "100,000 lines: memory of the renderer",
    value: memory.private,
    unit: "MB",
    most: 200,
  });
  await forget(server, token, id);
});

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

const firstPaint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;

/** Of the page and all that it had fetched by then, in kB; the server compresses better. */
async function loadedBefore(page: Page, paint: number): Promise<number> {
  const urls = await page.evaluate((paint) => {
    const fetched = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
    const ours = fetched.filter(({ name, responseEnd }) => /\/assets\//.test(name) && responseEnd <= paint);
    return [window.location.href, ...new Set(ours.map(({ name }) => name))];
  }, paint);
  const bodies = urls.map(
    async (url) => gzipSync(new Uint8Array(await (await fetch(url)).arrayBuffer())).length,
  );
  return (await Promise.all(bodies)).reduce((sum, size) => sum + size, 0) / 1_000;
}

/** Presses the button in the page, and answers the milliseconds until it says that it runs. */
function launchAndWatch(): Promise<number> {
  return new Promise((done) => {
    const start = performance.now();
    const watch = new MutationObserver(() => {
      const state = document.querySelector("header p[role=status]");
      if (state?.textContent !== "Running") return;
      watch.disconnect();
      requestAnimationFrame(() => done(performance.now() - start));
    });
    watch.observe(document.body, { subtree: true, childList: true, characterData: true });
    const buttons = [...document.querySelectorAll<HTMLButtonElement>("section button")];
    buttons.find((button) => /aunch$/.test(button.textContent ?? ""))?.click();
  });
}

/** Whether a row with a number as high as this is there: each one is gone in a moment. */
function shows(least: number): boolean {
  const rows = [...document.querySelectorAll("[role=log] [data-index]")];
  return Number(/steady (\d+) /.exec(rows.at(-1)?.textContent ?? "")?.[1]) >= least;
}

function countFrames(): Promise<{ fps: number; worst: number; lines: number }> {
  const last = () => {
    const rows = document.querySelectorAll("[role=log] [data-index]");
    return Number(rows[rows.length - 1]?.getAttribute("data-index") ?? 0);
  };
  return new Promise((done) => {
    const start = performance.now();
    const from = last();
    let frames = 0;
    let worst = 0;
    let before = start;
    const next = (now: number) => {
      frames += 1;
      worst = Math.max(worst, now - before);
      before = now;
      const passed = (now - start) / 1_000;
      if (passed < 5) requestAnimationFrame(next);
      else done({ fps: frames / passed, worst, lines: (last() - from) / passed });
    };
    requestAnimationFrame(next);
  });
}

/** In MB, after collecting garbage; of the largest renderer, which is the page's. */
async function memoryOf(page: Page, browser: Browser): Promise<{ heap: number; private: number }> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const whole = await browser.newBrowserCDPSession();
  const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => privateMemory(id));
  return { heap: usedSize / 1e6, private: Math.max(...renderers) };
}

function privateMemory(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = [...rollup.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB$/gm)].map(([, size]) =>
    Number(size),
  );
  return kilobytes.reduce((sum, size) => sum + size, 0) / 1_000;
}
