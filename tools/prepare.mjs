// What npm runs in a checkout: after `npm i` and `npm ci`, before `npm pack`, and where another folder installs this one by its path.
// There npm links the checkout without installing what builds it, and nothing here downloads it: the install then succeeds with a dist/ that
// says what to do, and is whole once the checkout has been installed.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";

const builder = await import("esbuild").catch(() => undefined);
if (builder !== undefined) {
  await import("./build.mjs");
} else {
  const advice = `saffu is not built: run npm ci in ${process.cwd()}`;
  if (["pack", "publish"].includes(process.env.npm_command)) {
    console.error(advice);
    process.exit(1);
  }
  if (existsSync("dist/index.js")) process.exit(); // built before, or told before
  mkdirSync("dist", { recursive: true });
  const thrown = `throw new Error(${JSON.stringify(advice)});\n`;
  for (const name of ["index.js", "index.cjs", "browser.js"]) writeFileSync(`dist/${name}`, thrown);
  writeFileSync("dist/cli.js", `#!/usr/bin/env node\nconsole.error(${JSON.stringify(advice)});\nprocess.exit(1);\n`);
}
