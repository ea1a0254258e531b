import { defineConfig } from "vitest/config";

export default defineConfig({
  // what the tests take from the project's own has to run under this vitest, not under the project's
  resolve: { dedupe: ["vitest"] },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
