/** A long run over modules of every form, and a table of what their exports answered. */
import { Draws } from "./draws.ts";
import { build, FORMS } from "./forms.ts";
import { fuzz, type Tally } from "./fuzz.ts";

/** Calls the exports of small modules of every form at random, `calls` times altogether, and prints what they answered. */
export async function fuzzModules(calls: number, seed: number): Promise<void> {
  const began = performance.now();
  const each = Math.ceil(calls / FORMS.length);
  const total: Tally = new Map();
  for (const form of FORMS) {
    const tally = fuzz(await build(form, new Draws(seed)), each, seed);
    for (const [name, answers] of tally) {
      const sums = total.get(name) ?? new Map<string, number>();
      for (const [code, count] of answers) sums.set(code, (sums.get(code) ?? 0) + count);
      total.set(name, sums);
    }
    console.log(`${form.name}: ${each} calls`);
  }

  const codes = ["ok", "-1", "-2", "-3", "-4", "-5", "-6"];
  const line = (name: string, cells: readonly (string | number)[]) =>
    console.log(name.padEnd(8) + cells.map((cell) => String(cell).padStart(9)).join(""));
  console.log();
  line("", codes);
  for (const [name, answers] of [...total].sort()) {
    line(
      name,
      codes.map((code) => answers.get(code) ?? 0),
    );
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`\nall: ${each * FORMS.length} calls in ${seconds} s; no trap, no code that is not documented, nothing changed
by a call that was refused, nothing written beyond the memory, every prediction of unit sum, scalar as simd`);
}
