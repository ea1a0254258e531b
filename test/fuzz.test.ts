/** A share of `npm run fuzz`: whatever a reader is given, it reads it or refuses it with a typed error. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { SaffuError } from "../host/errors.ts";
import { fuzz } from "../tools/fuzz/run.ts";
import type { Target } from "../tools/fuzz/target.ts";
import { targets } from "../tools/fuzz/targets.ts";
import { randomModel } from "./model-fixture.ts";

const CASES = 20_000;
/** The same inputs in every run; the tool draws others each time. */
const SEED = 20;

let all: Target[];
beforeAll(async () => {
  all = await targets(await randomModel());
});

/** What each reader must have answered at least once, and refusals from its last checks: the inputs go deep enough to tell. */
const READERS: [string, string[], RegExp[]][] = [
  [
    "statistics",
    ["MODEL_CORRUPT", "MODEL_DIGEST", "MODEL_VERSION", "STATISTICS_MISMATCH", "loaded"],
    [/capacity is/, /observedTokens/, /memory/, /wants/, /not finite/, /together/, /no meaning here/, /not JSON/],
  ],
  ["safetensors", ["MODEL_CORRUPT", "loaded"], [/aligned/, /overlaps/, /gap/, /belong to no tensor/, /do not hold/]],
  ["config", ["INVALID_SHAPE", "MODEL_CORRUPT", "MODEL_VERSION", "loaded"], [/does not list/, /sha# of/, /must be in/]],
  [
    "tokenizer",
    ["TOKENIZER_INVALID", "loaded"],
    [/stands twice/, /two tokens/, /single bytes/, /not in the vocabulary/],
  ],
  [
    "model",
    ["INVALID_SHAPE", "MODEL_CORRUPT", "MODEL_DIGEST", "MODEL_MISSING_FILE", "TOKENIZER_INVALID", "loaded"],
    [
      /kernel\.scalar\.wasm: /,
      /statistics\.safetensors: /,
      /model\.safetensors: /,
      /tokenizer\.json/,
      /config\.json: /,
    ],
  ],
  ["frames of messages", ["INVALID_MESSAGE", "loaded"], [/of no message/, /a message of more than/]],
  [
    "archives",
    ["INVALID_MESSAGE", "loaded"],
    [/begin as one/, /another model/, /is cut/, /checksum/, /goes on behind/, /a block of more than/],
  ],
  [
    "packets of a channel",
    ["INVALID_MESSAGE", "CHANNEL_LOST", "loaded"],
    [/does not have/, /whose state is another/, /a message of more than/, /at least/],
  ],
  [
    "states of watches",
    ["MODEL_CORRUPT", "MODEL_DIGEST", "MODEL_VERSION", "STATISTICS_MISMATCH", "loaded"],
    [
      /is no JSON/,
      /incomplete/,
      /an event is/,
      /lessons/,
      /of other options/,
      /is missing|rows end with|a copy is of row/,
    ],
  ],
  ["fields of lines", ["INVALID_OPTION", "loaded"], [/numbers/, /path of a field/]],
  ["a watch's module", ["loaded"], []],
];

test.each(READERS)("%s", async (name, outcomes, refusals) => {
  const target = all.find((target) => target.name === name)!;
  const cases = CASES * target.share;
  const tally = await fuzz(target, cases, SEED);
  expect([...tally.outcomes.values()].reduce((sum, count) => sum + count, 0)).toBe(cases);
  expect([...tally.outcomes.keys()]).toEqual(expect.arrayContaining(outcomes));
  for (const refusal of refusals)
    expect([...tally.messages], `${refusal}`).toContainEqual(expect.stringMatching(refusal));
});

test("every reader has its share", () => {
  expect(all.map(({ name }) => name)).toEqual(READERS.map(([name]) => name));
  expect(all.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
});

describe("the fuzz finds", () => {
  /** A reader that does something wrong with one input of a hundred. */
  const faulty = (fault: () => unknown): Target => ({
    name: "faulty",
    share: 1,
    property: (judge) =>
      fc.asyncProperty(fc.nat(99), (drawn) =>
        judge(() => {
          if (drawn === 42) fault();
          throw new SaffuError("MODEL_CORRUPT", "as it should be");
        }),
      ) as fc.IAsyncProperty<[unknown]>,
  });

  test("an error that is not typed", async () => {
    const cause = new TypeError("Cannot read properties of undefined");
    const fault = () => {
      throw cause;
    };
    await expect(fuzz(faulty(fault), 1000, SEED)).rejects.toMatchObject({
      message: expect.stringMatching(/seed: 20[\s\S]*Counterexample: \[42\]/),
      cause,
    });
  });

  test("memory that is taken at an input's word", async () => {
    const held: Uint8Array[] = [];
    const fault = () => held.push(new Uint8Array(2 ** 28));
    await expect(fuzz(faulty(fault), 1000, SEED)).rejects.toMatchObject({
      message: expect.stringContaining("Counterexample: [42]"),
      cause: { message: expect.stringContaining("bytes of memory") },
    });
    expect(held.length).toBeGreaterThan(0);
  });

  test("nothing where there is nothing", async () => {
    const tally = await fuzz(
      faulty(() => {}),
      1000,
      SEED,
    );
    expect([...tally.outcomes]).toEqual([["MODEL_CORRUPT", 1000]]);
  });
});
