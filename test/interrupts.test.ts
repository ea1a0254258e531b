/** Whatever a command is at, a signal ends it, and it leaves nothing half-written; `npm run faults -- interrupts` prints the seconds. */
import { expect, test } from "vitest";
import { interrupt, SITUATIONS } from "../tools/faults/interrupts.ts";
import { commandIn } from "./cli-fixture.ts";

const NANO = "models/nano-en";
const { main } = commandIn("build/test-interrupts");

/** A hang is ended after 30 s by `interrupt`; its code is none of these. */
function expectEnded({ code, err, changed, seconds }: Awaited<ReturnType<typeof interrupt>>, exit: number): void {
  expect(changed).toEqual([]);
  expect(seconds).toBeLessThan(20);
  const said = err.replace(/^saffu: from line 101 on .*\n/, ""); // a watch says so on its way
  // before the command listens, and after it has ended its work, the signal ends the process by itself
  if (code !== null && code !== 0) {
    expect([code, said]).toEqual([
      exit,
      expect.stringMatching(/^(saffu: ABORTED: interrupted by SIG(INT|TERM)|\{"error":\{"code":"ABORTED".*)\n$/),
    ]);
  }
}

test.each(SITUATIONS.map((situation, i) => [situation.name, situation, i % 2 === 0] as const))(
  "%s",
  async (_name, situation, first) => {
    const signal = first ? "SIGINT" : "SIGTERM";
    const ended = await interrupt(main, NANO, situation, signal);
    expectEnded(ended, first ? 130 : 143);
    if (situation.after >= 700) expect(ended.code).not.toBe(0); // it would have gone on
  },
);

test.each(
  SITUATIONS.filter(({ name }) => /unread|nobody reads|compiles|silent pipe/.test(name)).map((each) => [
    each.name,
    each,
  ]),
)("two signals: %s", async (_name, situation) =>
  expectEnded(await interrupt(main, NANO, situation, "SIGINT", true), 130),
);
