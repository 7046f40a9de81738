import { chromium } from "@playwright/test";

const [out, width, ...names] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--allow-file-access-from-files"],
});
const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
const html = names
  .map(
    (n) =>
      `<figure style="margin:4px;display:inline-block;vertical-align:top"><img src="file:///work/wt-e/web/e2e/screens/${n}.png" width="${width}"><figcaption style="font:12px sans-serif">${n}</figcaption></figure>`,
  )
  .join("");

import { writeFileSync } from "node:fs";

writeFileSync("/tmp/team/e-sheet.html", `<body style="margin:0;background:#888">${html}`);
await page.goto("file:///tmp/team/e-sheet.html");
await page.waitForTimeout(500);
await page.screenshot({ path: out, fullPage: true });
await browser.close();
