import base from "./playwright.config";

/** Measures instead of tests: `npm run bench`, on a machine that does nothing else. */
export default {
  ...base,
  testDir: "bench",
  testMatch: "**/*.bench.ts",
  workers: 1,
  // Recording takes part of what is measured.
  use: { ...base.use, trace: "off" as const },
};
