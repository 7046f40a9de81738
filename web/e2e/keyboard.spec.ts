import { expect, forget, GREETER, launched, look, picture, project, test } from "./fixtures";

test.describe("without a mouse, enlarged, or in the reader's own colours", () => {
  let id = "";

  test.beforeAll(async ({ server, token }) => {
    id = await server.upload(token, "keyboard", project(GREETER));
    await launched(server, token, id);
  });
  test.afterAll(async ({ server, token }) => forget(server, token, id));
  test.beforeEach(async ({ page, open }) => {
    await open(`/g/${id}`);
    await expect(page.getByLabel("Path", { exact: true })).toHaveValue("/hello");
  });

  test("a filter, a command, a request, out again, and in the log", async ({ page }) => {
    await page.keyboard.press("/");
    await expect(page.getByLabel("Filter endpoints")).toBeFocused();
    await page.keyboard.type("hello?");
    await expect(page.getByRole("dialog")).toHaveCount(0);
    await expect(page.getByText("Nothing matches “hello?”.")).toBeVisible();
    await look(page, "endpoints-no-match", "Endpoints");
    await page.getByLabel("Filter endpoints").press("Escape");
    await expect(page.getByRole("button", { name: "GET /hello" })).toBeVisible();

    await page.keyboard.press("Control+k");
    await expect(page.getByPlaceholder("Type a command")).toBeFocused();
    await page.keyboard.type("get health");
    await page.keyboard.press("Enter");
    await expect(page.getByLabel("Path", { exact: true })).toHaveValue("/health");
    await page.getByLabel("Path", { exact: true }).press("Control+Enter");
    await expect(page.getByRole("status").filter({ hasText: "200 OK" })).toBeVisible();

    const help = page.getByRole("button", { name: "Keyboard shortcuts (?)" });
    await help.focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(help).toBeFocused();

    // Once it is the log's search; once more, it is the browser's own.
    await page.evaluate(() =>
      window.addEventListener("keydown", (event) => {
        if (event.key === "f") document.body.dataset.find = event.defaultPrevented ? "ours" : "the browser's";
      }),
    );
    await page.getByRole("log").focus();
    await page.keyboard.press("Control+f");
    await expect(page.getByLabel("Search the log")).toBeFocused();
    await expect(page.locator("body")).toHaveAttribute("data-find", "ours");
    await page.keyboard.press("Control+f");
    await expect(page.locator("body")).toHaveAttribute("data-find", "the browser's");
  });

  test("Tab leaves the editor of a body; in forced colours, what is chosen is seen", async ({ page }) => {
    await page.getByRole("tab", { name: "Body" }).click();
    await page.getByText("JSON", { exact: true }).click();
    const body = page.getByRole("textbox", { name: "Request body" });
    await body.focus();
    await page.keyboard.press("Tab");
    await expect(body).not.toBeFocused();
    expect(await body.innerText()).not.toContain("\t");

    await page.emulateMedia({ forcedColors: "active" });
    const outline = (element: Element) => getComputedStyle(element).outlineStyle;
    const chosen = page.getByRole("button", { name: "GET /hello" });
    await expect.poll(() => chosen.evaluate(outline)).toBe("solid");
    await expect.poll(() => page.getByRole("button", { name: /^Errors/ }).evaluate(outline)).toBe("solid");
    await picture(page, "forced-colours");
  });

  test("at 200 % nothing is lost; on a phone, a request leads to its lines", async ({ page }) => {
    // Half the room is what a page has at twice the size.
    await page.setViewportSize({ width: 680, height: 430 });
    await expect(page.getByRole("button", { name: "Send" })).toBeInViewport();
    const parts = page.getByRole("navigation", { name: "Parts of the page" });
    await parts.getByText("Logs").click();
    await expect(page.getByRole("log").getByText("Ready in")).toBeInViewport();
    await picture(page, "zoomed");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);

    await parts.getByText("Request").click();
    await page.setViewportSize({ width: 360, height: 640 });
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("button", { name: "Show logs" }).click();
    const marked = page.getByRole("log").locator("[data-marked]");
    await expect(marked.filter({ hasText: "GET /hello 200" })).toBeInViewport();
    await picture(page, "phone-request-logs");
  });
});
