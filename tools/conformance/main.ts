/** `npm run conformance`: the matrix of runtimes (run.ts), or with `--speed` how fast wasm3 is (speed.ts). */
if (process.argv.includes("--speed")) await import("./speed.ts");
else await import("./run.ts");
