import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";
import { Server } from "./server";

interface Worker {
  server: Server;
  token: string;
}

interface Fixtures {
  /** Fails the test at its end for what the console should not have said. */
  quiet: undefined;
  /** Opens a page of the UI, signed in. */
  open: (path: string) => Promise<void>;
}

/** A network answer that is no success is told by the browser itself; the contract uses 404 and 409 as answers. */
const ANSWER = /^Failed to load resource/;

export const test = base.extend<Fixtures, Worker>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from here.
    async ({}, use) => {
      const server = await Server.start("--max-instances-per-user", "3", "--request-timeout", "4");
      await use(server);
      await server.remove(server.token());
    },
    { scope: "worker", timeout: 60_000 },
  ],
  token: [async ({ server }, use) => use(server.token()), { scope: "worker" }],
  quiet: [
    async ({ page }, use) => {
      const said: string[] = [];
      page.on("console", (message) => {
        const loud = message.type() === "error" || message.type() === "warning";
        if (loud && !ANSWER.test(message.text())) said.push(message.text());
      });
      page.on("pageerror", (error) => said.push(`unhandled: ${error.message}`));
      await page.addInitScript(() =>
        document.addEventListener("securitypolicyviolation", (event) =>
          reportError(new Error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)),
        ),
      );
      page.on("dialog", (dialog) => said.push(`dialog: ${dialog.message()}`));
      await use(undefined);
      expect(said).toEqual([]);
    },
    { auto: true },
  ],
  open: async ({ page, server, token }, use) => {
    await use(async (path) => {
      await page.goto(`${server.url}${path}#token=${token}`);
      await expect(page).toHaveURL(new RegExp(`${path}$`));
    });
  },
});

export { expect };

const SIZES = { desktop: [1360, 860], tablet: [720, 900], phone: [320, 720] } as const;

/**
 * A picture in each theme and at each size, to look at. Accessibility is checked in both themes, and once more at
 * the narrowest, where nothing may be wider than the screen. `pane` is what a phone is to show.
 */
export async function look(page: Page, name: string, pane?: "Logs" | "Endpoints"): Promise<void> {
  const before = page.viewportSize();
  const touch = await page.context().newCDPSession(page);
  for (const [size, [width, height]] of Object.entries(SIZES)) {
    await touch.send("Emulation.setTouchEmulationEnabled", { enabled: size === "phone" });
    await page.setViewportSize({ width, height });
    if (pane && size === "phone") await showPane(page, pane);
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await painted(page, theme);
      await page.screenshot({ path: `e2e/screens/${name}-${size}-${theme}.png` });
      if (size === "desktop" || (size === "phone" && theme === "light"))
        await checkAccess(page, `${name}, ${size}, ${theme}`);
    }
  }
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow, `${name}: wider than the phone`).toBeLessThanOrEqual(0);
  await touch.send("Emulation.setTouchEmulationEnabled", { enabled: false });
  await touch.detach();
  await page.emulateMedia({ colorScheme: "light" });
  if (pane) await showPane(page, "Request");
  if (before) await page.setViewportSize(before);
}

/** The page follows the reader's theme a moment after it changed. */
async function painted(page: Page, theme: string): Promise<void> {
  await expect(page.locator(".pv-root").first()).toHaveAttribute("data-theme", theme);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** On a phone one part of the tab is shown; this is how a reader goes to another. */
async function showPane(page: Page, pane: string): Promise<void> {
  await page
    .getByRole("navigation", { name: "Parts of the page" })
    .getByRole("button", { name: pane })
    .click();
}

async function checkAccess(page: Page, what: string): Promise<void> {
  // The page has no frames, for which the other mode opens a page of its own each time.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  expect(told, what).toEqual([]);
}

/** Launches over the API and answers once it serves. */
export async function launched(server: Server, token: string, id: string): Promise<void> {
  const answer = await server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
  expect(answer.status, JSON.stringify(answer)).toBe("launched");
}

export const forget = (server: Server, token: string, id: string): Promise<void> =>
  server.call(token, "DELETE", `/api/generations/${id}`);

const REQUIREMENTS =
  "fastapi>=0.115,<1\nuvicorn>=0.30,<1\nsqlalchemy>=2.0,<3\npydantic>=2.7,<3\npython-multipart>=0.0.9\nwebsockets>=13\n";

/** A small project whose `app/main.py` is this; its packages are the sample's, so that they are installed once. */
export function project(main: string): Record<string, string> {
  return { "app/__init__.py": "", "app/main.py": main, "requirements.txt": REQUIREMENTS };
}

export const GREETER = `
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ok": True}


@app.get("/hello")
def hello(name: str = "you") -> dict[str, str]:
    print(f"greeting {name}")
    return {"greeting": f"Hello, {name}"}
`;
