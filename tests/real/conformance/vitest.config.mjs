import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: "../../../.tailrace/vite",
  test: {
    root: import.meta.dirname,
    include: ["suite.test.mjs"],
    testTimeout: 40_000,
    hookTimeout: 40_000,
    reporters: ["./reporter.mjs"],
    // There is one file, so more processes would only cost memory.
    pool: "forks",
    maxWorkers: 1,
    isolate: false,
  },
});
