import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "@playwright/test";

/** Debian's Chromium: the one without windows where it is installed, which takes a seventh less of the processor. */
const installed = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
const chromium = process.env.CHROMIUM ?? installed.find(existsSync);

/** Without these it looks for hosts that a closed network does not have. */
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
  // They wait as often as they compute.
  workers: 2 * availableParallelism(),
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  use: {
    actionTimeout: 20_000,
    viewport: { width: 1360, height: 860 },
    launchOptions: { executablePath: chromium, args: flags },
    // Nothing moves by itself: drawn without a graphics card, what does takes the processor from the other tests.
    contextOptions: { reducedMotion: "reduce" },
    screenshot: "only-on-failure",
    // It would take a fifth of the tests' time to note down what each of them does: `E2E_TRACE=1` has it done.
    trace: process.env.E2E_TRACE ? "retain-on-failure" : "off",
  },
});
