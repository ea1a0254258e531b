/**
 * What the browser's tests serve to a page, on the loopback interface alone: the built bundles, the modules of classifiers, the shipped
 * models, and models that are damaged on the way.
 */
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { transform } from "esbuild";
import { classifierModules } from "../host/compile/classifier.ts";
import type { Build } from "../host/model/kernel.ts";

/** How one file of a model is served: `/damaged/HOW/FILE/MODEL` is a model directory. */
const DAMAGES = {
  flipped: (bytes: Uint8Array, response: ServerResponse) => {
    const flipped = bytes.slice();
    flipped[flipped.length >> 1]! ^= 1;
    response.end(flipped);
  },
  truncated: (bytes: Uint8Array, response: ServerResponse) => response.end(bytes.subarray(0, bytes.length >> 1)),
  extended: (bytes: Uint8Array, response: ServerResponse) => response.end(Buffer.concat([bytes, new Uint8Array(1)])),
  missing: (_: Uint8Array, response: ServerResponse) => response.writeHead(404).end("not found"),
  /** As a server of a single-page application answers what it does not know. */
  page: (_: Uint8Array, response: ServerResponse) => response.end(PAGE),
  /** The connection breaks off in the middle. */
  cut: (bytes: Uint8Array, response: ServerResponse) => {
    response.setHeader("content-length", bytes.length);
    response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
  },
  /** Its beginning comes, and then nothing more. */
  stalled: (bytes: Uint8Array, response: ServerResponse) => response.write(bytes.subarray(0, bytes.length >> 1)),
};

export type Damage = keyof typeof DAMAGES;

/** The page: functions of probe.ts can be called by name, given the bundle as their first argument. */
const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>`;
const SCRIPT = `
import * as saffu from "/browser.js";
import * as probe from "/probe.js";
const entries = { classifying: "/classify.js", watching: "/watch.js" };
const entryOf = (name) => (name in entries ? import(entries[name]) : saffu);
globalThis.run = async (name, ...rest) => probe[name](await entryOf(name), ...rest);
`;
/** For a browser that nobody drives: it runs the calls that stand behind the # of the address, and sends what came of them. */
const REPORTING_PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/reporting.js"></script>`;
const REPORTING_SCRIPT = `
import * as saffu from "/browser.js";
import * as probe from "/probe.js";
const entries = { classifying: "/classify.js", watching: "/watch.js" };
const results = [];
for (const [name, ...rest] of JSON.parse(decodeURIComponent(location.hash.slice(1)))) {
  const entry = name in entries ? await import(entries[name]) : saffu;
  results.push(await probe[name](entry, ...rest).catch((error) => ({ thrown: String(error) })));
}
await fetch("/report", { method: "POST", body: JSON.stringify(results) });
`;
const TYPES: Record<string, string> = { ".js": "text/javascript", ".json": "application/json", "": "text/html" };
/** As strict as a page can be that runs WebAssembly; `/without-wasm` is stricter. */
const POLICY = "default-src 'none'; img-src data:; connect-src 'self'; script-src 'self'";

export interface Server {
  /** Without a slash at its end. */
  readonly origin: string;
  /** Responses that are begun and neither ended nor given up by who asked. */
  readonly open: ReadonlySet<ServerResponse>;
  /** What the next page sends that runs calls by itself, `/reports#CALLS` or `/reports/without-wasm#CALLS`. */
  reported(): Promise<unknown[]>;
  close(): void;
}

/** Serves the bundle of `built`, a folder of tools/build.mjs. */
export async function serve(built: string): Promise<Server> {
  const { code: probe } = await transform(await readFile("test/probe.ts"), { loader: "ts", format: "esm" });
  const open = new Set<ServerResponse>();
  let arrived: (results: unknown[]) => void = () => {};

  async function respond(path: string, response: ServerResponse): Promise<void> {
    const [, first, how, damaged, model, name] = path.split("/");
    if (path === "/page.js") response.end(SCRIPT);
    else if (path === "/probe.js") response.end(probe);
    else if (["/browser.js", "/classify.js", "/watch.js"].includes(path))
      response.end(await readFile(join(built, path)));
    else if (first === "classifier") response.end((await classifierModules())[how as Build][damaged as "solver"]);
    else if (path === "/reporting.js") response.end(REPORTING_SCRIPT);
    else if (["/", "/without-wasm", "/reports", "/reports/without-wasm"].includes(path)) {
      const policy = path.endsWith("/without-wasm") ? POLICY : `${POLICY} 'wasm-unsafe-eval'`;
      response.setHeader("content-security-policy", policy);
      response.end(path.startsWith("/reports") ? REPORTING_PAGE : PAGE);
    } else if (first === "models" && !path.includes("..")) response.end(await readFile(path.slice(1)));
    else if (first === "damaged") {
      const bytes = await readFile(join("models", model!, name!));
      if (name === damaged) DAMAGES[how as Damage](bytes, response);
      else response.end(bytes);
    } else response.writeHead(404).end();
  }

  const server = createServer((request, response) => {
    open.add(response);
    response.on("close", () => open.delete(response));
    const { pathname } = new URL(request.url!, "http://page.test");
    response.setHeader("cache-control", "no-store");
    response.setHeader("content-type", TYPES[extname(pathname)] ?? "application/octet-stream");
    if (request.method === "POST" && pathname === "/report") {
      text(request).then((body) => {
        response.end();
        arrived(JSON.parse(body));
      });
      return;
    }
    respond(pathname, response).catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open,
    reported: () =>
      new Promise((resolve) => {
        arrived = resolve;
      }),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
