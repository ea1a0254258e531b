/** The built bundle in Firefox, another engine than Node's: the same bits, and its own words where a policy forbids WebAssembly. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as node from "../host/index.ts";
import { type Server, serve } from "./browser-server.ts";
import { needs, onPath } from "./needs.ts";
import * as probe from "./probe.ts";

const FIREFOX = onPath("firefox-esr") ?? onPath("firefox");

/** Nothing leaves this machine: all that is not on the loopback goes to a proxy that is not there, and nothing is looked up. */
const PREFERENCES = {
  "network.proxy.type": 1,
  "network.proxy.http": "127.0.0.1",
  "network.proxy.http_port": 9,
  "network.proxy.ssl": "127.0.0.1",
  "network.proxy.ssl_port": 9,
  "network.proxy.no_proxies_on": "127.0.0.1",
  "network.dns.disabled": true,
  "app.update.enabled": false,
  "app.normandy.enabled": false,
  "browser.safebrowsing.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "toolkit.telemetry.enabled": false,
};

needs("firefox", FIREFOX)("a page in Firefox", () => {
  let folder: string;
  let server: Server;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "saffu-firefox-"));
    execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", join(folder, "dist")]);
    server = await serve(join(folder, "dist"));
  });
  afterAll(async () => {
    server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs calls of probe.ts in a page of a Firefox that begins with nothing, and gives what came of each. */
  async function inPage(path: string, calls: readonly (readonly unknown[])[]): Promise<unknown[]> {
    const profile = await mkdtemp(join(folder, "profile-"));
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});`);
    await writeFile(join(profile, "user.js"), lines.join("\n"));
    const address = `${server.origin}${path}#${encodeURIComponent(JSON.stringify(calls))}`;
    const reported = server.reported();
    const words = ["--headless", "--no-remote", "--profile", profile, address];
    const firefox: ChildProcess = spawn(FIREFOX!, words, { env: { ...process.env, HOME: profile }, stdio: "ignore" });
    const gone = once(firefox, "exit").then(() => {
      throw new Error("Firefox ended before its page had run");
    });
    try {
      return await Promise.race([reported, gone]);
    } finally {
      gone.catch(() => {});
      firefox.kill("SIGKILL");
    }
  }

  test("generates, scores, predicts and learns to the bit as Node does, in both builds", async () => {
    const runs = [
      ["models/nano-en", "scalar"],
      ["models/nano-en", "simd"],
      ["models/potato-en", "simd"],
    ] as const;
    const { generation, score, predictions, learning } = probe;
    const probes = { generation, score, predictions, learning };
    const calls = runs.flatMap((run) => Object.entries(probes).map(([name, call]) => ({ name, run, call })));
    const found = await inPage(
      "/reports",
      calls.map(({ name, run }) => [name, ...run]),
    );
    for (const [i, { name, run, call }] of calls.entries()) {
      expect(found[i], `${name}, ${run}`).toEqual(JSON.parse(JSON.stringify(await call(node, run[0], run[1]))));
    }
  });

  test("fits classifiers that observe and forget to the byte as Node's do", async () => {
    const runs = [
      ["base", null],
      ["ridge", { groups: 2, units: 8 }],
    ] as const;
    const found = await inPage(
      "/reports",
      runs.map((run) => ["classifying", ...run, `${server.origin}/classifier`]),
    );
    for (const [i, [exact, hidden]] of runs.entries()) {
      const wanted = await probe.classifying(node as never, exact, hidden);
      expect(found[i]).toEqual(JSON.parse(JSON.stringify(wanted)));
    }
  });

  test("whose policy forbids WebAssembly is told UNSUPPORTED, with Firefox's words and what to do", async () => {
    const [found] = await inPage("/reports/without-wasm", [["loadError", "/models/nano-en"]]);
    expect(found).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/'wasm-unsafe-eval'.*blocked by CSP/),
    });
  });
});
