/** How `fit` reports and how it ends early: by its signal, by a text or a callback that throws, by a thread that is lost. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type FitOptions, type FitProgress, fit } from "../host/fit/fit.ts";
import { Solver } from "../host/fit/solver.ts";
import type { SaffuError } from "../host/index.ts";
import { byteTokenizer, type Tokenizer } from "../host/tokenizer/index.ts";
import { compileQuickly, hooks } from "./compile-warm.ts";
import { BYTES, contents, recorder, SMALL, TEXT, threadsAlive } from "./fit-fixture.ts";
import { refusal } from "./model-fixture.ts";

compileQuickly();

/** What is done to the programs of the next worker threads, in the order in which they start. */
const faults: ((program: string) => string)[] = [];
const threads: typeof import("node:worker_threads") = createRequire(import.meta.url)("node:worker_threads");
class FaultyWorker extends threads.Worker {
  constructor(program: string, options: object) {
    super(faults.shift()?.(program) ?? program, options);
  }
}
const { Worker } = threads;
beforeAll(() => {
  threads.Worker = FaultyWorker as typeof Worker;
  syncBuiltinESMExports();
});
afterAll(() => {
  threads.Worker = Worker;
  syncBuiltinESMExports();
});

const PHASES: FitProgress["phase"][] = ["tokenizer", "tokens", "groups", "scaling", "mixture", "memory", "files"];
/** In several chunks, so that a fit can stop between two. */
const CHUNKS = Array.from({ length: 5 }, (_, i) => TEXT.subarray((i * TEXT.length) / 5, ((i + 1) * TEXT.length) / 5));
const text = () => CHUNKS;
/** More steps of the groups than one call runs; every phase has its turn. */
const ALL: FitOptions = { ...SMALL, threads: 2 };

let wanted: Record<string, string>;
beforeAll(async () => {
  wanted = contents((await fit(text, ALL)).files);
});

afterEach(() => {
  faults.length = 0;
  hooks.compiled.length = 0;
  hooks.onCompile = undefined;
  vi.restoreAllMocks();
  expect(threadsAlive()).toBe(0);
});

/** After whatever happened, the same fit gives the same bytes. */
async function expectUnharmed(): Promise<void> {
  expect(contents((await fit(text, ALL)).files)).toEqual(wanted);
}

describe("progress", () => {
  test.each<[string, FitOptions, FitProgress["phase"][]]>([
    ["of everything", ALL, PHASES],
    ["over bytes, without iterative scaling", { ...BYTES, passes: 0 }, PHASES.filter((phase) => phase !== "tokenizer")],
  ])("comes phase by phase, never falls, and ends at its total: %s", async (_what, options, phases) => {
    const { events, onProgress } = recorder();
    const { report } = await fit(text, { ...options, onProgress });
    const order = events.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]);
    expect(order).toEqual(phases);
    for (const phase of phases) {
      const own = events.filter((event) => event.phase === phase);
      for (const [i, { done, total }] of own.entries()) {
        expect(done).toBeGreaterThanOrEqual(own[i - 1]?.done ?? 0);
        if (total > 0) expect(done).toBeLessThanOrEqual(total);
      }
      const last = own.at(-1)!;
      expect(last.done).toBe(phase === "tokens" ? TEXT.length : last.total);
      expect(last.done).toBeGreaterThan(0);
    }
    const totals = (phase: string) =>
      new Set(events.filter((event) => event.phase === phase).map(({ total }) => total));
    expect(totals("tokens")).toEqual(new Set([0])); // how long a stream is nobody knows
    const { mixture } = report.recipe;
    const trained = report.trainTokens - mixture.tokens;
    expect(totals("mixture")).toEqual(new Set([mixture.tokens]));
    const steps = Math.ceil(trained / 512) * (SMALL.passes + 1); // one more after U is rounded to four bits
    expect(totals("scaling")).toEqual(new Set([options.passes === 0 ? trained : steps]));
  });

  test("goes on where the tokenizer has fewer pairs to merge than were wanted", async () => {
    const { events, onProgress } = recorder();
    const short = new TextEncoder().encode("she sells sea shells. ".repeat(10));
    await expect(
      fit(() => [short], { ...SMALL, vocabulary: 512, seed: 1, onProgress, signal: abortedAt("groups") }),
    ).rejects.toEqual(refusal("ABORTED"));
    const { done, total } = events.filter(({ phase }) => phase === "tokenizer").at(-1)!;
    expect(done).toBe(total);
    expect(total).toBeLessThan(512 - 256);

    function abortedAt(phase: string): AbortSignal {
      const controller = new AbortController();
      const { push } = events;
      events.push = (...added) => {
        if (added.some((event) => event.phase === phase)) controller.abort();
        return push.apply(events, added);
      };
      return controller.signal;
    }
  });
});

describe("an abort", () => {
  test("before the start reads no text", async () => {
    const reason = new Error("changed my mind");
    const never = vi.fn(text);
    const { events, onProgress } = recorder();
    const error = await fit(never, { ...ALL, onProgress, signal: AbortSignal.abort(reason) }).catch((e: unknown) => e);
    expect(error).toEqual(refusal("ABORTED"));
    expect((error as SaffuError).cause).toBe(reason);
    expect(never).not.toHaveBeenCalled();
    expect(events).toEqual([]);
  });

  test.each(
    PHASES.flatMap((phase) =>
      [0, 2].flatMap((threads) => (["first", "last"] as const).map((which) => [phase, which, threads] as const)),
    ).filter(([phase, which]) => phase !== "files" || which === "first"), // after its last event the files are there
  )("in %s, at its %s event, ends it there (%i threads)", async (phase, which, threads) => {
    const controller = new AbortController();
    const { events, onProgress } = recorder();
    const started = vi.spyOn(Solver, "start");
    let alive = 0;
    const fitting = fit(text, {
      ...ALL,
      threads,
      signal: controller.signal,
      onProgress: (event) => {
        onProgress(event);
        const { done, total } = event;
        const last = phase === "tokens" ? done === TEXT.length : done === total;
        if (event.phase !== phase || (which === "last" && !last)) return;
        alive = threadsAlive();
        controller.abort(new Error(phase));
      },
    });
    const error = await fitting.catch((cause: unknown) => cause);
    expect(error).toEqual(refusal("ABORTED"));
    expect((error as SaffuError).cause).toEqual(new Error(phase));
    // nothing was reported, and so nothing begun, after it
    expect(events.at(-1)!.phase).toBe(phase);
    if (which === "first") expect(events.filter((event) => event.phase === phase).length).toBe(1);
    // threads are there from the groups up to the mixture, and gone when the fit is over (afterEach looks, too)
    const fits = PHASES.indexOf(phase) >= PHASES.indexOf("groups");
    expect(started).toHaveBeenCalledTimes(fits ? 1 : 0);
    expect(alive).toBe(fits && phase !== "memory" && phase !== "files" ? threads : 0);
    expect(threadsAlive()).toBe(0);
    if (!fits) expect(hooks.compiled).toEqual([]);
  });

  test("leaves nothing that stands in the next fit's way", expectUnharmed);

  test.each([
    ["solver simd", 1],
    ["device scalar", 2],
    ["device simd", 3],
  ])("while %s is compiled is seen before the next thing begins", async (name, count) => {
    const controller = new AbortController();
    const started = vi.spyOn(Solver, "start");
    // from outside: it comes when the event loop next turns
    hooks.onCompile = (compiled) => {
      if (compiled === name) setTimeout(() => controller.abort());
    };
    await expect(fit(text, { ...ALL, signal: controller.signal })).rejects.toEqual(refusal("ABORTED"));
    expect(hooks.compiled.length).toBe(count);
    expect(started).toHaveBeenCalledTimes(count === 1 ? 0 : 1); // kernels come last, and its threads are gone by then
    expect(threadsAlive()).toBe(0);
  });

  test("from outside is seen within a single long chunk", async () => {
    const controller = new AbortController();
    let encoded = 0;
    // the chunk is encoded in parts of 64 KiB; each takes long enough that a turn of the event loop is due
    const slow: Tokenizer = Object.assign(Object.create(byteTokenizer()), {
      encode: (part: Uint8Array) => {
        ++encoded;
        for (const start = performance.now(); performance.now() - start < 20; );
        return Uint16Array.from(part);
      },
    });
    const chunk = new Uint8Array(20 * 65536);
    for (let at = 0; at + TEXT.length <= chunk.length; at += TEXT.length) chunk.set(TEXT, at);
    const onProgress = () => setTimeout(() => controller.abort());
    await expect(
      fit(() => [chunk], { ...BYTES, tokenizer: slow, onProgress, signal: controller.signal }),
    ).rejects.toEqual(refusal("ABORTED"));
    expect(encoded).toBeGreaterThan(0);
    expect(encoded).toBeLessThan(10); // of 20
  });

  test("while held-out texts are scored is seen before the next of them", async () => {
    const controller = new AbortController();
    let scored = 0;
    const { once } = Solver.prototype;
    vi.spyOn(Solver.prototype, "once").mockImplementation(async function (this: Solver, name, ...values) {
      await once.call(this, name, ...values);
      // the mixture's places are of the text, which ends where the held-out texts begin
      if (name !== "evaluate" || values[0]! < TEXT.length) return;
      ++scored;
      controller.abort();
    });
    const heldOut = Array.from({ length: 5 }, () => TEXT);
    const fitting = fit(text, { ...BYTES, heldOut, signal: controller.signal });
    await expect(fitting).rejects.toEqual(refusal("ABORTED"));
    expect(scored).toBe(1);
  });

  test("closes the text it was reading", async () => {
    const controller = new AbortController();
    const closed = vi.fn();
    async function* stream() {
      try {
        for (const chunk of CHUNKS) {
          yield chunk;
          controller.abort();
        }
      } finally {
        closed();
      }
    }
    for (const options of [ALL, { ...ALL, ...BYTES }]) {
      await expect(fit(stream, { ...options, signal: controller.signal })).rejects.toEqual(refusal("ABORTED"));
    }
    // the second fit was aborted before it began: it opened nothing
    expect(closed).toHaveBeenCalledTimes(1);
  });

  test("lets the process end by itself, with nothing written and nothing left on it", () => {
    const script = `
      import { fit } from ${JSON.stringify(new URL("../host/fit/fit.ts", import.meta.url).href)};
      const controller = new AbortController();
      const onProgress = ({ phase }) => phase === "scaling" && controller.abort();
      const text = Buffer.from(process.argv[1], "base64");
      const options = { ...JSON.parse(process.argv[2]), onProgress, signal: controller.signal };
      const { code } = await fit(() => [text], options).catch((error) => error);
      console.log(JSON.stringify({ code, listeners: process.listenerCount("uncaughtException") }));`;
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
    const parameters = ["--import", tsx, "--input-type=module", "-e", script, Buffer.from(TEXT).toString("base64")];
    const cwd = mkdtempSync(join(tmpdir(), "saffu-fit-"));
    try {
      const child = spawnSync(process.execPath, [...parameters, JSON.stringify({ ...SMALL, threads: 2 })], {
        cwd,
        encoding: "utf8",
        timeout: 50_000, // a thread left alive would keep it for ever
      });
      expect(child).toMatchObject({ status: 0, signal: null, stderr: "" });
      expect(JSON.parse(child.stdout)).toEqual({ code: "ABORTED", listeners: 0 });
      expect(readdirSync(cwd)).toEqual([]);
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});

describe("an error of the caller's passes through as it is", () => {
  const lost = new Error("the disk is gone");

  test.each([
    ["the tokenizer is trained", 1],
    ["the text is encoded", 2],
  ])("from the text, half way while %s", async (_what, call) => {
    let calls = 0;
    const closed = vi.fn();
    async function* stream() {
      try {
        const own = ++calls;
        for (const [i, chunk] of CHUNKS.entries()) {
          if (own === call && i === 2) throw lost;
          yield chunk;
        }
      } finally {
        closed();
      }
    }
    await expect(fit(stream, ALL)).rejects.toBe(lost);
    expect(calls).toBe(call);
    expect(closed).toHaveBeenCalledTimes(call);
    expect(hooks.compiled).toEqual([]);
  });

  test("from the text's function itself", async () => {
    const options = { ...ALL, ...BYTES };
    const bad = () => {
      throw lost;
    };
    await expect(fit(bad, options)).rejects.toBe(lost);
  });

  test.each(PHASES)("from onProgress in %s, and the threads are gone", async (phase) => {
    const onProgress = (event: FitProgress) => {
      if (event.phase === phase) throw lost;
    };
    await expect(fit(text, { ...ALL, onProgress })).rejects.toBe(lost);
    expect(threadsAlive()).toBe(0);
  });
});

describe("a thread that is lost", () => {
  test("in its work fails the fit, and the one that waits for it at the barrier is ended", async () => {
    faults.push(
      (program) => program,
      (program) =>
        program.replace(
          "instance.exports[name]",
          `(name === "scalingSteps" ? () => { throw new Error("lost in scalingSteps"); } : instance.exports[name])`,
        ),
    );
    await expect(fit(text, ALL)).rejects.toThrow("lost in scalingSteps");
    expect(threadsAlive()).toBe(0);
  });

  test("when nothing is asked of it fails the fit, too", async () => {
    faults.push(
      (program) => `${program}; throw new Error("lost in between");`,
      // the other one is later, so that the first is gone before there is work
      (program) => `for (const start = Date.now(); Date.now() - start < 200; ); ${program}`,
    );
    await expect(fit(text, ALL)).rejects.toThrow("lost in between");
    expect(threadsAlive()).toBe(0);
  });

  test("at its start fails the fit, and those that did start are ended", async () => {
    faults.push(
      (program) => program,
      () => `throw new Error("lost at the start")`,
    );
    const failed = { code: "UNSUPPORTED", message: expect.stringMatching(/lost at the start.*threads: 0/) };
    await expect(fit(text, { ...ALL, threads: 3 })).rejects.toMatchObject(failed);
    expect(threadsAlive()).toBe(0);
  });

  test("leaves nothing that stands in the next fit's way", expectUnharmed);
});
