/**
 * A process that learns and saves for ever, to be killed: `node writer.mjs DIR SEED`. It observes, forgets, refits, and tells on
 * standard output what DIR holds by the SHA-256 of its statistics ("none" where there are none):
 *
 *   ready D    loaded
 *   begin D    about to save
 *   saved D    the save has returned: from here on nothing older may be found
 */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { Model } from "../../host/model/model.ts";
import { directorySource, NODE } from "../../host/model/platform-node.ts";
import { generator } from "../generator.ts";

const [directory, seed] = [process.argv[2]!, Number(process.argv[3])];
const random = generator(seed);

/** At once: what a pipe has taken is read, whatever becomes of this process. */
const tell = (what: string, digest: string) => writeSync(1, `${what} ${digest}\n`);
const digestOf = (bytes: Uint8Array | undefined) => (bytes ? createHash("sha256").update(bytes).digest("hex") : "none");

const model = await Model.read(directorySource(directory), {}, NODE);
tell("ready", digestOf(await model.learnedFile()));
const pieces: string[] = [];
for (let count = 0; ; ++count) {
  const chance = random();
  if (pieces.length > 0 && chance < 0.5) {
    await model.forget(pieces.splice(Math.floor(random() * pieces.length), 1)[0]!);
    if (pieces.length === 0) model.dropCorrection(); // nothing is left to save then, if there was nothing before
  } else {
    const piece = `Piece ${seed}.${count}: `.repeat(1 + Math.floor(random() * 20));
    await model.observe(piece);
    pieces.push(piece);
    if (chance > 0.8) await model.refit();
  }
  const digest = digestOf(await model.learnedFile());
  tell("begin", digest);
  await model.save(directory);
  tell("saved", digest);
}
