/** One golden script on every WebAssembly runtime that is to be had: the oracle's answers to the bit (tools/conformance). */
import { afterAll, describe, expect, test } from "vitest";
import { Cases, difference, FORM_NAMES, moduleForms, QUICK_FORMS } from "../tools/conformance/cases.ts";
import { play } from "../tools/conformance/play.ts";
import { RUNTIMES } from "../tools/conformance/runtimes.ts";
import { type Answer, digestOf, fnv, type Step, stepName } from "../tools/conformance/script.ts";
import { needs } from "./needs.ts";

const cases = new Cases();
afterAll(async () => {
  for (const runtime of RUNTIMES) await runtime.close?.();
  cases.remove();
});

describe.each(RUNTIMES.map((runtime) => [runtime.name, runtime] as const))("%s", (name, runtime) => {
  // where a runtime is slow, `npm run conformance` has the others
  const forms = runtime.slow ? QUICK_FORMS : FORM_NAMES;
  needs(runtime.needs, runtime.found())(`${name} answers as the oracle does`, () => {
    test.each(runtime.builds.flatMap((build) => forms.map((form) => [build, form] as const)))(
      "%s, %s",
      async (build, form) => {
        const made = await cases.case(form, build);
        const { version, answers } = await runtime.play(made);
        expect(version).toMatch(/^\d+/);
        expect(difference(made.script.steps, await cases.oracle(form), answers)).toBeUndefined();
      },
      240_000,
    );
    test.each(moduleForms(runtime.builds).map(({ build, form, run }) => [build, form, run] as const))(
      "%s, %s",
      async (_build, _form, run) => {
        const { made, wanted } = await run(cases);
        const { answers } = await runtime.play(made);
        expect(difference(made.script.steps, wanted, answers)).toBeUndefined();
      },
      240_000,
    );
  });
});

describe("the golden script", () => {
  const answersTo = async (matches: (step: Step) => boolean) => {
    const steps = await cases.steps("nano");
    const answers = await cases.oracle("nano");
    return answers.filter((_, i) => matches(steps[i]!));
  };
  const values = (answer: Answer | undefined) => (answer as Extract<Answer, { values: unknown }>).values;
  const region = (name: string) => answersTo((step) => step.do === "region" && step.from === name);

  test("writes, learns and writes otherwise, forgets and writes as before", async () => {
    const [base, corrected, forgotten] = await answersTo((step) => step.do === "generate" && !step.every);
    expect(values(base).length).toBe(200);
    expect(new Set(values(base)).size).toBeGreaterThan(10);
    expect(values(corrected)).not.toEqual(values(base));
    expect(values(forgotten)).toEqual(values(base));
  });

  test("draws among some tokens only where others are forbidden, and not always the likeliest", async () => {
    const [restricted] = await answersTo((step) => step.do === "generate" && step.every !== undefined);
    expect(values(restricted).length).toBe(60);
    expect(values(restricted).every((token) => token % 3 === 0)).toBe(true);
    expect(new Set(values(restricted)).size).toBeGreaterThan(5);
  });

  test("observes and forgets what it scores, and leaves no statistics", async () => {
    const [scored, observed, forgotten] = await answersTo((step) => step.do === "each");
    expect(values(scored).length).toBe(300);
    expect(values(observed)).toEqual(values(scored));
    expect(values(forgotten)).toEqual(values(scored));
    const { vocabulary, groups, units } = (await cases.model("models/nano-en")).config.shape;
    const nothing = fnv(new Uint8Array(2 * vocabulary * groups * units * 4 + 4));
    const [full, empty] = await region("OBSERVED");
    expect(digestOf(full!)).not.toBe(nothing);
    expect(digestOf(empty!)).toBe(nothing);
  });

  test("has no refusal in it", async () => {
    for (const answer of await answersTo((step) => step.do === "call" || step.do === "refit")) {
      expect(values(answer).every((value) => value === 0)).toBe(true);
    }
  });

  test("is seen to differ by one bit of one weight, at the first token that has it", async () => {
    const { script, module, weights } = await cases.case("nano, flash", "scalar");
    const { steps } = script;
    const wanted = await cases.oracle("nano");
    expect(difference(steps, wanted, play(module, weights, steps))).toBeUndefined();
    const compiled = new WebAssembly.Module(module as BufferSource);
    const { exports } = new WebAssembly.Instance(compiled, { saffu: { read: () => 0 } });
    const address = (name: string) => (exports[name] as WebAssembly.Global).value as number;
    // the bias of the text's first token, whose mantissa's highest bit is in its third byte
    const [token] = steps.flatMap((step) => (step.do === "each" ? step.tokens : []));
    const changed = weights!.slice();
    changed[address("DECODER_O0") - address("CIPHER") + token! * 4 + 2]! ^= 0x40;
    const found = play(module, changed, steps);
    expect(difference(steps, wanted, found)).toBeDefined();
    const feed = steps.findIndex((step) => step.do === "each");
    expect(values(found[feed])[0]).not.toBe(values(wanted[feed])[0]);
  });

  test("names the step and the value that differ, and answers that are missing or too many", async () => {
    const steps = await cases.steps("nano");
    const wanted = await cases.oracle("nano");
    const at = steps.findIndex((step) => step.do === "each");
    const altered = wanted.with(at, { values: values(wanted[at]).with(17, 0), seconds: 0 });
    expect(difference(steps, wanted, altered)).toBe(`step ${at}, feed, value 17: 0, not ${values(wanted[at])[17]}`);
    const opaque = wanted.with(at, { digest: "0000000000000000", seconds: 0 });
    expect(difference(steps, wanted, opaque)).toBe(
      `step ${at}, feed: digest 0000000000000000, not ${digestOf(wanted[at]!)}`,
    );
    const short = wanted.with(at, { values: values(wanted[at]).slice(1), seconds: 0 });
    expect(difference(steps, wanted, short)).toContain(`step ${at}, feed`);
    expect(difference(steps, wanted, wanted.slice(0, -1))).toBe(
      `step ${steps.length - 1}, ${stepName(steps.at(-1)!)}: no answer`,
    );
    expect(difference(steps, wanted, [...wanted, wanted[0]!])).toBe(
      `${steps.length + 1} answers to ${steps.length} steps`,
    );
  });
});
