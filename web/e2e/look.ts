import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { expect, type Page } from "@playwright/test";
import type { AxeResults, RunOptions } from "axe-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
type Theme = "light" | "dark";

/** Pictures to look at. Taking them takes as long as the checks; `SCREENS=0` does without. */
const PICTURES = process.env.SCREENS !== "0";
const SCREENS = "e2e/screens";

interface View {
  device: "tablet" | "desktop" | "phone";
  size: [number, number];
  /** In the theme that the page comes in, or in the other one. */
  theme: "as it is" | "the other";
  touch?: boolean;
  /** What is looked at every day. The others are where pictures are taken as well. */
  daily?: true;
}

/** In an order in which little changes from one to the next: after each change the page is laid out and drawn anew. */
const VIEWS: readonly View[] = [
  { device: "tablet", size: [720, 900], theme: "as it is" },
  { device: "desktop", size: [1360, 860], theme: "as it is", daily: true },
  { device: "desktop", size: [1360, 860], theme: "the other" },
  { device: "phone", size: [320, 720], theme: "the other", touch: true, daily: true },
];

/**
 * Each theme, at each size. Accessibility is checked wherever is looked: every day in one theme on a desktop and in the other at
 * the narrowest, where nothing may be wider than the screen. The page stays in the theme that was last looked at: the next look
 * begins with it, so that each size is seen in one after the other. `pane` is what a phone is to show.
 */
export async function look(page: Page, name: string, pane?: "Logs" | "Endpoints"): Promise<void> {
  const before = page.viewportSize();
  const session = await page.context().newCDPSession(page);
  const touches = (enabled: boolean) => session.send("Emulation.setTouchEmulationEnabled", { enabled });
  const { dark, axe } = await page.evaluate(() => ({
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    axe: "axe" in window,
  }));
  // Once in each document: handing it over takes as long as a check, and longer in Playwright's way, which packs it up.
  if (!axe) await session.send("Runtime.evaluate", { expression: AXE });
  const themes: Record<View["theme"], Theme> = {
    "as it is": dark ? "dark" : "light",
    "the other": dark ? "light" : "dark",
  };
  for (const view of VIEWS.filter(({ daily }) => PICTURES || daily)) {
    const theme = themes[view.theme];
    const [width, height] = view.size;
    if (view.touch) await touches(true);
    await page.setViewportSize({ width, height });
    if (pane && view.touch) await showPane(page, pane);
    if (view.theme === "the other") await page.emulateMedia({ colorScheme: theme });
    await painted(page, theme);
    const what = `${name}-${view.device}-${theme}`;
    await picture(page, what);
    await checkAccess(page, what);
  }
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow, `${name}: wider than the phone`).toBeLessThanOrEqual(0);
  await touches(false);
  await session.detach();
  if (pane) await showPane(page, "Request");
  if (before) await page.setViewportSize(before);
}

/** A picture to look at, where they are wanted. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!PICTURES) return;
  const session = await page.context().newCDPSession(page);
  // Playwright's own way makes it smaller, which takes twice as long.
  const { data } = await session.send("Page.captureScreenshot", { format: "png", optimizeForSpeed: true });
  await session.detach();
  await mkdir(SCREENS, { recursive: true });
  await writeFile(`${SCREENS}/${name}.png`, data, "base64");
}

/** The page follows the reader's theme a moment after it changed. */
async function painted(page: Page, theme: Theme): Promise<void> {
  await page.evaluate(async (theme) => {
    const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
    while (document.querySelector<HTMLElement>(".pv-root")?.dataset.theme !== theme) await frame();
    await frame();
    await frame();
    // However short, a transition is over with a frame, which a busy machine draws late: colours are between two until then.
    const passing = document
      .getAnimations()
      .filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(passing.map(({ finished }) => finished));
  }, theme);
}

/** On a phone one part of the tab is shown; this is how a reader goes to another. */
async function showPane(page: Page, pane: string): Promise<void> {
  await page
    .getByRole("navigation", { name: "Parts of the page" })
    .getByRole("button", { name: pane })
    .click();
}

async function checkAccess(page: Page, what: string): Promise<void> {
  const options: RunOptions = {
    resultTypes: ["violations"],
    // How to find an element again is worked out for each that was looked at.
    selectors: false,
    // It would fetch all styles again, for rules that are not run.
    preload: false,
  };
  const told = await page.evaluate(async (options) => {
    const { axe } = window as unknown as { axe: { run(of: Document, how: RunOptions): Promise<AxeResults> } };
    const everything = { subtree: true, childList: true, attributes: true, characterData: true };
    for (let look = 1; ; look += 1) {
      let changed = false;
      const watch = new MutationObserver(() => {
        changed = true;
      });
      watch.observe(document, everything);
      const { violations } = await axe.run(document, options);
      watch.disconnect();
      // What changed meanwhile was looked at half before and half after: such a page is looked at again.
      if (violations.length > 0 && changed && look < 3) continue;
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
    }
  }, options);
  expect(told, what).toEqual([]);
}
