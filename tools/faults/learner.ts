/**
 * A process that learns into a directory beside others, through the library: `node learner.mjs DIR NAME SECONDS`. It loads, observes a
 * piece and saves; where the save is refused because another was there first, it does so anew. Each acknowledged piece is a line on
 * standard output, TOKENS and the piece.
 */
import { SaffuError } from "../../host/errors.ts";
import { Model } from "../../host/model/model.ts";
import { directorySource, NODE } from "../../host/model/platform-node.ts";

const [directory, name, seconds] = [process.argv[2]!, process.argv[3]!, Number(process.argv[4])];
const end = performance.now() + 1000 * seconds;
for (let count = 0; performance.now() < end; ) {
  const piece = `${name}.${count}: the boiler is on`;
  const model = await Model.read(directorySource(directory), {}, NODE);
  const { tokens } = await model.observe(piece);
  try {
    await model.save(directory);
  } catch (cause) {
    if (cause instanceof SaffuError && cause.message.includes("changed by another")) continue;
    throw cause;
  }
  ++count;
  process.stdout.write(`${tokens} ${piece}\n`);
}
