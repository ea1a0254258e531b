/** What is measured is the same network: each peer that can be here finds the surprisals that saffu finds, and says what it does not do. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needs, onPath } from "../../../test/needs.ts";
import { prepare } from "../data.ts";
import { inPeers } from "../paths.ts";
import { Peer } from "../peer.ts";
import { draw } from "../workers/sampling.mjs";

const TOKENS = 300;

let folder: string;
let own: number;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saffu-peers-"));
  await prepare(folder);
  own = await bitsOf([...worker("saffu"), "network"]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const worker = (name: string) => [process.execPath, inPeers("workers", `${name}.mjs`), folder];

/** Bits of the first tokens; what the peer says in between must be as the bench takes it. */
async function bitsOf(command: readonly string[]): Promise<number> {
  const peer = new Peer("a peer", command);
  try {
    const first = await peer.answer();
    expect(first.cpu).toBeGreaterThan(0);
    expect(first.peak).toBeGreaterThan(1e6);
    const { bits, cpu } = await peer.ask(`decode ${TOKENS}`);
    expect(cpu).toBeGreaterThan(0);
    expect((await peer.ask("decode 1")).bits).toBe(first.bits);
    for (const cuts of ["0 1", "40 0.95"]) expect(await peer.ask(`write 20 0.8 ${cuts}`)).not.toHaveProperty("missing");
    expect(await peer.ask("nothing 7")).toEqual({ missing: true });
    return bits!;
  } finally {
    await peer.end();
  }
}

const closeTo = (found: number) => expect(Math.abs(found / own - 1)).toBeLessThan(1e-4);

test.each(["onnxruntime node", "onnxruntime web", "tfjs"])("%s runs the same network", async (words) => {
  const [name, ...kind] = words.split(" ");
  closeTo(await bitsOf([...worker(name!), ...kind]));
});

needs("gcc", onPath("gcc"))("C", () => {
  test("runs the same network, compiled without a warning", async () => {
    const program = join(folder, "network-c");
    const options = ["-O3", "-msse4.1", "-mno-avx", "-fno-math-errno", "-fno-trapping-math"];
    execFileSync("gcc", ["-Wall", "-Werror", ...options, "-o", program, inPeers("network.c"), "-lm"]);
    closeTo(await bitsOf([program, folder]));
  });
});

// 5 GB that CI does not bring; the bench itself refuses a peer that finds other surprisals
const python = inPeers(".venv", "bin", "python");
if (existsSync(python))
  describe("PyTorch", () => {
    test("runs the same network", async () => {
      closeTo(await bitsOf([python, inPeers("workers", "pytorch.py"), folder]));
    });
  });

test("a peer that ends in place of an answer is an error with its words", async () => {
  const peer = new Peer("nobody", [process.execPath, "-e", "console.error('no room'); process.exit(3)"]);
  await expect(peer.answer()).rejects.toThrow(/nobody ended.*no room/s);
});

describe("the sampler of runtimes without one", () => {
  const SHARES = [0.05, 0.4, 0.1, 0.3, 0.15];
  const drawn = (...cuts: [temperature: number, topK: number, topP: number]) => {
    const counts = SHARES.map(() => 0);
    for (let i = 0; i < 20_000; ++i) ++counts[draw(Float32Array.from(SHARES), ...cuts)]!;
    return counts.map((count) => count / 20_000);
  };
  /** Within five standard deviations of 20,000 draws. */
  const near = (found: number[], wanted: number[]) => {
    for (const [i, p] of wanted.entries()) {
      expect(Math.abs(found[i]! - p)).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / 20_000));
    }
  };

  test("draws by temperature, from the k likeliest, down to the share p", () => {
    near(drawn(1, 0, 1), SHARES);
    const sharp = SHARES.map((p) => p ** 2);
    near(
      drawn(0.5, 0, 1),
      sharp.map((p) => p / sharp.reduce((a, b) => a + b)),
    );
    near(drawn(1, 3, 1), [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]);
    near(drawn(1, 4, 0.7), [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0]);
  });
});
