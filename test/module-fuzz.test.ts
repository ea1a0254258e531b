/** A share of `npm run fuzz -- --module`: whatever a module's exports are called with, they answer as documented and nothing breaks. */
import { beforeAll, describe, expect, test } from "vitest";
import { Draws } from "../tools/module/draws.ts";
import { build, FORMS, type Subject } from "../tools/module/forms.ts";
import { type Device, fuzz } from "../tools/module/fuzz.ts";
import { compileQuickly } from "./compile-warm.ts";

compileQuickly();

const CALLS = 15_000;
/** The same calls in every run; the tool draws others each time. */
const SEED = 4;

const subjects = new Map<string, Subject>();

describe.each(FORMS)("$name", (form) => {
  beforeAll(async () => {
    subjects.set(form.name, await build(form, new Draws(SEED)));
  });

  test("keeps what is documented over some thousand calls", () => {
    const tally = fuzz(subjects.get(form.name)!, CALLS, SEED);
    const answers = (name: string) => [...tally.get(name)!.keys()].sort();
    const { options } = form;
    const learns = options.learning !== false;
    const unread = options.target === "flash" ? ["-5"] : [];
    // the calls go deep enough: every answer that a function has, it has given
    expect(answers("append")).toEqual(["-1", "-6", "ok"]);
    expect(answers("correct")).toEqual(learns ? ["ok"] : ["-4"]);
    expect(answers("feed")).toEqual(["-1", ...unread, "-6", "ok"]);
    expect(answers("forget")).toEqual(learns ? ["-1", "-3", ...unread, "-6", "ok"] : ["-4"]);
    expect(answers("merge")).toEqual(learns ? ["-1", "-2", "ok"] : ["-4"]);
    expect(answers("observe")).toEqual(learns ? ["-1", "-2", ...unread, "-6", "ok"] : ["-4"]);
    expect(answers("predict")).toEqual([...unread, "-6", "ok"]);
    expect(answers("refit")).toEqual(learns ? ["-1", ...unread, "ok"] : ["-4"]);
    expect(answers("reset")).toEqual([...unread, "ok"]);
    expect(answers("sample")).toEqual(["-1", ...unread, "-6", "ok"]);
    expect(answers("seed")).toEqual(["ok"]);
    const sum = [...tally.values()].flatMap((counts) => [...counts.values()]).reduce((all, count) => all + count, 0);
    expect(sum).toBe(CALLS);
  });
});

describe("the fuzz finds", () => {
  /** Something that goes wrong in one build at call 700. */
  const faulty = (fault: (device: Device) => void) => () =>
    fuzz(subjects.get("one-hot, recalling")!, 2000, SEED, (call, device) => {
      if (call === 700 && device.build === "simd") fault(device);
    });

  test("a byte written beyond the memory", () => {
    const { memoryBytes } = subjects.get("one-hot, recalling")!;
    const fault = faulty(({ memory }) => {
      memory[memoryBytes] = 0;
    });
    expect(fault).toThrow(/one-hot, recalling, seed 4, call 700: \w+\(.*\): simd writes beyond its memory/);
  });

  test("a byte written to the weights", () => {
    const fault = faulty(({ memory, address }) => {
      ++memory[address("BLOCK_U_SCALE") - 17]!; // of a row that is seldom read: no answer may tell before
    });
    expect(fault).toThrow(/simd writes to its weights/);
  });

  test("sums that change where they must not", () => {
    // whatever is called last before a comparison of the memories, they differ
    const fault = faulty(({ memory, address }) => {
      ++memory[address("OBSERVED") + 7]!;
    });
    expect(fault).toThrow(/has changed|differs at/);
  });

  test("a trap", () => {
    const fault = faulty(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    expect(fault).toThrow(/call 700: .*unreachable/);
  });

  test("builds that differ, and wrong codes", () => {
    const answering = (builds: string[], answer: number) => () =>
      fuzz(subjects.get("one-hot, recalling")!, 2000, SEED, (call, device) => {
        if (call !== 700 || !builds.includes(device.build)) return;
        (device as { run: Device["run"] }).run = new Proxy({}, { get: () => () => answer });
      });
    expect(answering(["simd"], 0.5)).toThrow(/call \d+: .*: scalar answers .*, simd 0.5/);
    expect(answering(["scalar", "simd"], -2)).toThrow(/answers -2, not one of/);
    expect(answering(["scalar", "simd"], 1e6)).toThrow(/answers 1000000, not one of/);
  });

  test("nothing where there is nothing", () => {
    expect(faulty(() => {})).not.toThrow();
  });
});
