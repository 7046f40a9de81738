import base from "./playwright.config";

/** Measures instead of tests: `npm run bench`, on a machine that does nothing else. */
export default {
  ...base,
  testDir: "bench",
  testMatch: "**/*.bench.ts",
  workers: 1,
  use: {
    ...base.use,
    // Recording takes part of what is measured.
    trace: "off" as const,
    // The browser that people have.
    launchOptions: {
      ...base.use?.launchOptions,
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    },
  },
};
