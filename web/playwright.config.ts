import { defineConfig } from "@playwright/test";

/** Debian's Chromium, and flags without which it looks for hosts that a closed network does not have. */
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export default defineConfig({
  testDir: "e2e",
  outputDir: "e2e/results",
  workers: 2,
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  use: {
    actionTimeout: 20_000,
    viewport: { width: 1360, height: 860 },
    launchOptions: { executablePath: chromium, args: flags },
    // Filming every test would take as long as the tests.
    trace: { mode: "retain-on-failure", screenshots: false },
  },
});
