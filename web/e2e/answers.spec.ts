import type { Locator, Page } from "@playwright/test";
import { ANSWERS } from "./apps";
import { clickOn, expect, forget, hold, launched, look, project, test } from "./fixtures";

test.describe("what a request may be answered", () => {
  let id = "";

  test.beforeAll(async ({ server, token }) => {
    id = await server.upload(token, "answers", project(ANSWERS));
    await launched(server, token, id);
  });
  test.afterAll(async ({ server, token }) => forget(server, token, id));
  test.beforeEach(async ({ open }) => open(`/g/${id}`));

  const send = async (page: Page, endpoint: string) => {
    await page.getByRole("button", { name: endpoint, exact: true }).click();
    await page.getByRole("button", { name: "Send" }).click();
    return page.getByRole("region", { name: "Response" });
  };

  // One page for all of them: to open one, and to look at it for the first time, takes longer than most of them.
  test("each kind of body", async ({ page }) => {
    const kind = (title: string, endpoint: string, shown: (answer: Locator) => Promise<void>) =>
      test.step(title, async () => shown(await send(page, endpoint)));

    await kind("text that is no JSON", "GET /plain", async (answer) => {
      await expect(answer.getByText("2,Persuasion")).toBeVisible();
      await expect(answer.getByText("text/csv")).toBeVisible();
      await look(page, "answer-text");
      await send(page, "GET /page");
      await expect(answer.getByText("<h1>Hello</h1>")).toBeVisible();
    });

    await kind("what says that it is JSON and is not", "GET /claims", async (answer) => {
      await expect(answer.getByText("cannot be read as such")).toBeVisible();
      await expect(answer.getByText("{not json")).toBeVisible();
      await look(page, "answer-not-json");
    });

    await kind("an image", "GET /image", async (answer) => {
      const image = answer.getByRole("img", { name: "The response body" });
      await expect(image).toBeVisible();
      await expect.poll(() => image.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBeGreaterThan(0);
      await look(page, "answer-image");
    });

    await kind("bytes, to be saved", "GET /binary", async (answer) => {
      await expect(answer.getByText("Binary data, 2.0 KB")).toBeVisible();
      await look(page, "answer-binary");
      const download = page.waitForEvent("download");
      await answer.getByRole("button", { name: "Save the response body" }).click();
      expect((await download).suggestedFilename()).toBe("response.bin");
    });

    await kind("nothing", "DELETE /nothing", async (answer) => {
      await expect(answer.getByText("204 No Content")).toBeVisible();
      await expect(answer.getByText("has no body")).toBeVisible();
      await look(page, "answer-empty");
    });

    await kind("more than is shown", "GET /large", async (answer) => {
      await expect(answer.getByText("this is its beginning")).toBeVisible({ timeout: 30_000 });
      await expect(answer.getByText("0123456789abcdef").first()).toBeVisible({ timeout: 30_000 });
      await look(page, "answer-truncated");
    });
  });

  test("no answer yet: it can be cancelled; and none in time: 504", async ({ page }) => {
    // Held on its way, for as long as a picture takes.
    await page.route("**/preview/request", () => {});
    const answer = await send(page, "GET /slow");
    await expect(answer.getByText("Waiting for the answer")).toBeVisible();
    await look(page, "sending");
    await answer.getByRole("button", { name: "Cancel" }).click();
    await expect(answer.getByText("Send the request to see")).toBeVisible();
    await page.unroute("**/preview/request");
    await page.getByRole("button", { name: "Send" }).click();
    await expect(answer.getByText("504 Gateway Timeout")).toBeVisible({ timeout: 30_000 });
    await look(page, "answer-504");
  });

  test("a failure, with the traceback it came from, and back to the request", async ({ page }) => {
    const answer = await send(page, "GET /fail");
    await expect(answer.getByText("500 Internal Server Error")).toBeVisible();
    const log = page.getByRole("log");
    const traceback = log.getByRole("button", { name: /KeyError: 'isbn'/ });
    await expect(traceback).toBeVisible();
    await traceback.click();
    await expect(log.getByText('raise KeyError("isbn")')).toBeVisible();
    await answer.getByRole("button", { name: "Show logs" }).click();
    await expect(log.locator("[data-marked]").first()).toBeInViewport();
    await look(page, "answer-500");
    await page.getByRole("button", { name: "GET /plain", exact: true }).click();
    const line = log.locator("[data-index]", { hasText: "GET /fail 500" }).last();
    await clickOn(line, /^Show the request of line/);
    await expect(page.getByLabel("Path", { exact: true })).toHaveValue("/fail");
    await expect(answer.getByText("500 Internal Server Error")).toBeVisible();
  });

  test("forms: values from the schema, refused fields, form-encoded, files; and cookies", async ({
    page,
  }) => {
    await page.getByRole("button", { name: "POST /items/{shelf}", exact: true }).click();
    await page.getByRole("tab", { name: /^Params/ }).click();
    await expect(page.getByText("How many to add")).toBeVisible();
    await page.getByLabel("Value of copies").fill("0");
    await look(page, "form-params");
    await page.getByRole("tab", { name: "Body" }).click();
    const body = page.getByRole("textbox", { name: "Request body" });
    await expect(body).toContainText('"colour": "red"');
    await page.getByRole("button", { name: "Send" }).click();
    const answer = page.getByRole("region", { name: "Response" });
    await expect(answer.getByText("422 Unprocessable")).toBeVisible();
    await page.getByRole("tab", { name: /^Params/ }).click();
    await expect(page.getByText("Input should be greater than or equal to 1", { exact: true })).toBeVisible();
    await page.getByLabel("Value of copies").fill("3");
    await page.keyboard.press("Control+Enter");
    await expect(answer.getByText("200 OK")).toBeVisible();
    await expect(answer.getByText('"copies": 3')).toBeVisible();

    await page.getByRole("button", { name: "POST /signup", exact: true }).click();
    await page.getByLabel("Value of email").fill("käthe+1@example.com");
    await page.keyboard.press("Control+Enter");
    await expect(answer.getByText('"käthe+1@example.com"')).toBeVisible();
    await look(page, "form-encoded");

    await page.getByRole("button", { name: "POST /covers", exact: true }).click();
    await page.getByLabel("Value of title").fill('it\'s "new"');
    await page.getByRole("button", { name: "Send" }).click();
    await expect(page.getByText('Choose a file for "cover".')).toBeVisible();
    await page
      .getByLabel("File for cover")
      .setInputFiles({ name: 'a "b".bin', mimeType: "image/png", buffer: Buffer.from([0, 255, 13, 10]) });
    await expect(page.getByText('a "b".bin, 4 B')).toBeVisible();
    await page.getByRole("button", { name: "Send" }).click();
    await expect(answer.getByText("200 OK")).toBeVisible();
    await answer.getByRole("tab", { name: "Raw" }).click();
    await expect(answer.getByText('"bytes":[0,255,13,10]')).toBeVisible();
    await expect(answer.getByText('"title":"it\'s \\"new\\""')).toBeVisible();
    await look(page, "form-files");

    // They go with the next requests, until they are forgotten.
    await answer.getByRole("tab", { name: "Pretty" }).click();
    await send(page, "POST /enter");
    await expect(answer.getByText("welcome")).toBeVisible();
    await send(page, "GET /visitor");
    await expect(answer.getByText('"ada"')).toBeVisible();
    await page.getByRole("tab", { name: "Auth" }).click();
    await look(page, "auth-cookies");
    await page.getByRole("button", { name: "Forget them" }).click();
    await page.getByRole("button", { name: "Send" }).click();
    await expect(answer.getByText("null")).toBeVisible();
  });

  test("a preview that dies of a request: 503, the failure, and a relaunch", async ({ page }) => {
    await expect(page.getByLabel("Path", { exact: true })).toBeVisible();
    const learn = await hold(page, "**/endpoints");
    await send(page, "GET /die");
    await expect(page.getByRole("heading", { name: "The program ended" })).toBeVisible();
    await expect(page.getByRole("region", { name: "Failure" })).toContainText("dying on purpose");
    await look(page, "crashed");
    await page.getByRole("button", { name: "GET /die", exact: true }).click();
    const answer = page.getByRole("region", { name: "Response" });
    await expect(answer.getByText("503 Service Unavailable")).toBeVisible();
    // What is learnt of the code afterwards does not take away what was chosen meanwhile.
    const learnt = page.waitForResponse("**/endpoints");
    learn();
    await (await learnt).finished();
    await look(page, "answer-503");
    await expect(answer.getByText("503 Service Unavailable")).toBeVisible();
    await page.getByRole("button", { name: "Retry" }).first().click();
    await expect(page.getByText("Running", { exact: true })).toBeVisible({ timeout: 60_000 });
  });
});
