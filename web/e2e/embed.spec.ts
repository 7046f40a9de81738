import { expect, forget, GREETER, look, picture, project, test } from "./fixtures";
import { startHost } from "./host";

test("the package in a host application of React 18", async ({ page, server, token }) => {
  const id = await server.upload(token, "embedded", project(GREETER));
  const host = await startHost(server.url);
  try {
    await page.goto(`${host.url}/?generation=${id}&token=${token}`);
    const summary = page.locator("header output");
    await expect(summary).toHaveText("idle, 0 lines, not live");
    await page
      .getByRole("region", { name: "Try this backend" })
      .getByRole("button", { name: "Launch" })
      .click();
    await expect(summary).toHaveText(/^running, \d+ lines, live$/, { timeout: 60_000 });
    await page.getByRole("button", { name: "Send" }).click();
    await expect(page.getByRole("status").filter({ hasText: "200 OK" })).toBeVisible();
    await look(page, "embed-tab");

    await page.getByRole("button", { name: "Terminal" }).click();
    await expect(page.getByRole("log").getByText("greeting you")).toBeVisible();
    await expect(page.getByRole("button", { name: "Send" })).toHaveCount(0);
    await expect(page.getByText(/^live, \d+ lines$/)).toBeVisible();
    await page.getByLabel("Search the log").fill("greeting (you|me)");
    await page.getByRole("button", { name: "Regular expression" }).click();
    await expect(page.getByText("0/1")).toBeVisible();
    // Its theme is the host's decision.
    await picture(page, "embed-terminal");

    const font = await page
      .locator("header")
      .first()
      .evaluate((header) => getComputedStyle(header).fontFamily);
    expect(font).toContain("Georgia");
    await page.getByRole("button", { name: "Stop" }).click();
    await expect(summary).toHaveText(/^over, /);
    await forget(server, token, id);
  } finally {
    host.close();
  }
});
