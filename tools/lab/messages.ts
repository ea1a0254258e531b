/**
 * Bits of a message that is met by itself, by models fitted to one text and to lines (`--boundary newline`): `npm run messages --prefix tools/lab` (a
 * minute). `-- --help` tells the options.
 */
import { parseArgs } from "node:util";
import { fit, load, type Model, type Profile } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { chats, linesOf } from "./corpora/messages.ts";

const HELP = `npm run messages -- [options]
  --dev            messages that settings are chosen on; otherwise those that figures are reported on
  --bytes N        of messages to fit to; 300000 by default
  --held N         messages to score; 2000 by default
  --profiles A,B   nano, micro and potato by default`;

const { values } = parseArgs({
  options: {
    dev: { type: "boolean", default: false },
    bytes: { type: "string", default: "300000" },
    held: { type: "string", default: "2000" },
    profiles: { type: "string", default: "nano,micro,potato" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}

const all = chats();
const text = Buffer.from(linesOf(all.fit, Number(values.bytes)));
const held = (values.dev ? all.dev : all.held).slice(0, Number(values.held));

/** Bits a message, its newline among them, as a text of its own, or behind a further newline that does not count. */
function bitsOf(model: Model, before: "" | "\n"): number {
  const skipped = before.length;
  const score = (message: string) => model.score(`${before}${message}\n`, { boundary: "none" }).surprisal;
  const bits = held.flatMap((message) => [...score(message).subarray(skipped)]);
  return bits.reduce((sum, each) => sum + each, 0) / held.length;
}

const rows: string[][] = [];
for (const profile of values.profiles.split(",") as Profile[]) {
  const model = async (boundary: "newline" | "none") => {
    const { files } = await fit(() => [text], { profile, boundary });
    return { of: await load(files), bytes: files.get("model.safetensors")!.length };
  };
  const one = await model("none");
  const lines = await model("newline");
  const [before, after] = [bitsOf(one.of, ""), bitsOf(lines.of, "")];
  rows.push([
    `\`${profile}\``,
    before.toFixed(1),
    `${after.toFixed(1)} (${(100 * (after / before - 1)).toFixed(1)} %)`,
    bitsOf(one.of, "\n").toFixed(1),
    one.bytes === lines.bytes ? String(one.bytes) : `${one.bytes}, ${lines.bytes}`,
  ]);
}
const size = held.reduce((sum, message) => sum + Buffer.byteLength(message) + 1, 0) / held.length;
console.log(`${held.length} messages of ${size.toFixed(1)} bytes, models fitted to ${text.length} bytes of others\n`);
console.log(
  table(
    ["profile", "fitted to one text", "fitted to lines", "to one text, behind a newline", "bytes of weights"],
    rows,
  ),
);
