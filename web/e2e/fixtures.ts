import { test as base, expect, type Locator, type Page } from "@playwright/test";
import { paced } from "./pace";
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
      await installed(server, server.token());
      await use(server);
      await server.remove(server.token());
    },
    { scope: "worker", timeout: 300_000 },
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
      await paced(page);
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

export { look, picture } from "./look";
export { expect };

/** Launches over the API and answers once it serves. */
export async function launched(server: Server, token: string, id: string): Promise<void> {
  const answer = await server.call(token, "POST", `/api/generations/${id}/preview/launch`, {});
  expect(answer.status, JSON.stringify(answer)).toBe("launched");
}

/** Has the packages installed once, however long that takes: a test's launch is what its application takes. */
async function installed(server: Server, token: string): Promise<void> {
  const id = await server.upload(token, "packages", project(GREETER));
  await launched(server, token, id);
  await forget(server, token, id);
}

/** Holds what the page asks for at such an address until the function that this answers is called. */
export async function hold(page: Page, url: string): Promise<() => void> {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(url, async (route) => {
    await held;
    // The page may be gone by then, or want no answer any more.
    await route.continue().catch(() => {});
  });
  return release;
}

/**
 * Clicks what a line of the log offers. The list is still finding its place after a change of size: the line may move
 * from under the pointer.
 */
export async function clickOn(line: Locator, button: RegExp): Promise<void> {
  await expect(async () => {
    await line.hover();
    await line.getByRole("button", { name: button }).click({ timeout: 1_000 });
  }).toPass();
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
