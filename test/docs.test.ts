/**
 * Every code block of the pages runs as it is pasted, and prints what the page says. Blocks of one page are one script: each goes on from
 * those before it. `console.log(x); // printed` says what is printed; so does a `text` block behind a block that writes; in a shell a comment
 * line behind a command has what it prints where it fails.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

interface Block {
  readonly language: string;
  readonly code: string;
}

/** Blocks that another test runs, by page: a browser's page, a bundler's sources, what starts the tests themselves. */
const ELSEWHERE: Record<string, (block: Block) => boolean> = {
  "README.md": ({ language }) => language !== "js" && language !== "text", // the commands: package.test.ts, in a project that installs it
  "docs/watch.md": ({ language }) => language === "text", // the table: watch-cli-screen.test.ts
  "docs/api.md": ({ language, code }) => language === "html" || code.includes("?url") || code.includes("--loader:"),
};
/** Pages whose commands are the project's own scripts: they must exist. */
const SCRIPTED = ["CONTRIBUTING.md", "tools/lab/README.md"];
const PAGES = [
  "README.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

function blocksOf(page: string): Block[] {
  const found = readFileSync(page, "utf8").matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm);
  return Array.from(found, ([, language, code]) => ({ language: language!, code: code! }));
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saffu-docs-"));
  await mkdir("build", { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function ended(file: string, words: string[], cwd: string): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(file, words, { cwd, maxBuffer: 1 << 26 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

/** What a script's `console.log` lines say that they print becomes a check; all of them have to say it. */
function checked(code: string): string {
  const lines = code.split("\n").map((line) => {
    const [, before, printed] = /^(.*)console\.log\((?:.*)\);? *\/\/ (.*)$/.exec(line) ?? [];
    if (before === undefined) {
      expect(line, "a line that prints says what").not.toContain("console.log(");
      return line;
    }
    return line.replace("console.log(", `__prints(${JSON.stringify(printed)}, `);
  });
  return lines.join("\n");
}

const PRELUDE = `
import { format } from "node:util";
const __prints = (wanted, ...values) => {
  const found = format(...values);
  if (found !== wanted) throw new Error(\`prints \${found}, the page says \${wanted}\`);
};
`;

describe.each(PAGES.map((page) => [page, blocksOf(page)] as const).filter(([, blocks]) => blocks.length > 0))(
  "%s",
  (page, all) => {
    const blocks = all.filter((block) => !ELSEWHERE[page]?.(block));
    const scripts = blocks.filter(({ language }) => language === "js");
    const shells = blocks.filter(({ language }) => language === "sh");

    test("has no block in a language that nothing runs", () => {
      expect(all.filter(({ language }) => !["js", "sh", "text", "html"].includes(language))).toEqual([]);
    });

    if (scripts.length > 0)
      test("its scripts run and print what they say", async () => {
        const wanted = blocks.filter(({ language }) => language === "text").map(({ code }) => code);
        // README's is for an empty folder with the package and a log; the others are for a checkout
        const installed = page === "README.md";
        const source = scripts.map(({ code }) => code).join("\n");
        const where = installed ? folder : ".";
        if (installed) {
          await mkdir(join(folder, "node_modules"), { recursive: true });
          await copyFile("examples/gateway/gateway.log", join(folder, "gateway.log"));
          if (!existsSync(join(folder, "node_modules", "saffu"))) {
            const { symlink } = await import("node:fs/promises");
            await symlink(resolve("."), join(folder, "node_modules", "saffu"));
          }
        }
        const path = installed ? join(folder, "try.mjs") : join("build", `${page.replaceAll(/\W/g, "-")}.mjs`);
        await writeFile(path, installed ? source : PRELUDE + checked(source));
        const { code, out, err } = await ended(process.execPath, [resolve(path)], where);
        expect({ code, err }).toEqual({ code: 0, err: "" });
        if (wanted.length > 0) expect(out).toBe(wanted.join(""));
        else expect(out).toBe("");
      });

    if (shells.length > 0)
      test("its commands run, and fail where they say so", async () => {
        const lines = shells.flatMap(({ code }) => code.trimEnd().split("\n"));
        const script = ["set -u", `npm() { shift 4; "${process.execPath}" dist/cli.js "$@"; }`];
        for (const [i, line] of lines.entries()) {
          if (line.startsWith("#") || line === "") continue;
          const said =
            lines[i + 1]?.startsWith("# saffu:") || lines[i + 1]?.startsWith('# {"error"')
              ? lines[i + 1]!.slice(2)
              : undefined;
          if (said === undefined)
            script.push(`${line} > /dev/null || { echo "failed: ${line.replaceAll(/["$]/g, "")}" >&2; exit 1; }`);
          else {
            const [, message, exit] = /^(.*?)(?: +\(exit (\d+)\))?$/.exec(said)!;
            script.push(`said=$(${line} 2>&1); code=$?`);
            script.push(`[ "$code" -ne 0 ] || { echo "did not fail" >&2; exit 1; }`);
            script.push(`[ "$said" = ${quoted(message!)} ] || { echo "said: $said" >&2; exit 1; }`);
            if (exit) script.push(`[ "$code" = ${exit} ] || { echo "exit $code" >&2; exit 1; }`);
          }
        }
        const { code, err } = await ended("bash", ["-c", script.join("\n")], ".");
        expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
      });
  },
);

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

describe.each(SCRIPTED)("%s", (page) => {
  test("names scripts that exist", () => {
    const scripts = (path: string) => Object.keys(JSON.parse(readFileSync(path, "utf8")).scripts);
    const text = readFileSync(page, "utf8");
    const named = Array.from(text.matchAll(/npm (?:run (?:-s )?)?([\w:]+)(?: (--prefix tools\/lab))?/g));
    const missing = named.filter(([, name, lab]) => {
      if (["ci", "install", "i", "run", "NAME"].includes(name!)) return false;
      const known = scripts(lab || page.startsWith("tools/lab") ? "tools/lab/package.json" : "package.json");
      return ![...known, ...scripts("package.json")].includes(name!);
    });
    expect(missing.map(([said]) => said)).toEqual([]);
  });
});
