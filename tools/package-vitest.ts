/** vitest's configuration of a package below tools/ that has dependencies of its own. */
export default {
  // what the tests take from the project's own has to run under this vitest, not under the project's
  resolve: { dedupe: ["vitest"] },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
};
