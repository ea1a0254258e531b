/**
 * Bits of a message that is met by itself, by models fitted to one text and to lines (`--boundary newline`): `npm run messages --prefix tools/lab` (a
 * minute). With `--models` the shipped models of messages beside what people use today. `-- --help` tells the options.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { fit, load, type Model, type Profile } from "../../host/index.ts";
import { table, writeBlock } from "../markdown.ts";
import { chats, linesOf } from "./corpora/messages.ts";
import { inLab, inRoot } from "./paths.ts";

const HELP = `npm run messages -- [options]
  --dev            messages that settings are chosen on; otherwise those that figures are reported on
  --bytes N        of messages to fit to; 300000 by default
  --held N         messages to score; 2000 by default
  --profiles A,B   nano, micro and potato by default
  --models A,B     models, by directory or name, beside Unishox2, smaz, brotli, zstd and PPMd; PYTHON names an interpreter that has
                   what baselines/codecs.txt lists
  --channel        the same models in a channel, over conversations in their order, from their first messages on
  --page           writes what --models and --channel measure to docs/messages.md`;

const { values } = parseArgs({
  options: {
    dev: { type: "boolean", default: false },
    bytes: { type: "string", default: "300000" },
    held: { type: "string", default: "2000" },
    profiles: { type: "string", default: "nano,micro,potato" },
    models: { type: "string" },
    channel: { type: "boolean", default: false },
    page: { type: "boolean", default: false },
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

if (values.models !== undefined) {
  await (values.channel ? channels : compare)(values.models.split(","));
  process.exit();
}

/** Bits a message, its newline among them, as a text of its own, or behind a further newline that does not count. */
function bitsOf(model: Model, before: "" | "\n"): number {
  const skipped = before.length;
  const score = (message: string) => model.score(`${before}${message}\n`, { boundary: "none" }).surprisal;
  const bits = held.flatMap((message) => [...score(message).subarray(skipped)]);
  return bits.reduce((sum, each) => sum + each, 0) / held.length;
}

/** Bits of a frame. */
function packedBits(model: Model): number {
  return held.reduce((sum, message) => sum + 8 * model.pack(message).length, 0) / held.length;
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
    packedBits(lines.of).toFixed(1),
    one.bytes === lines.bytes ? String(one.bytes) : `${one.bytes}, ${lines.bytes}`,
  ]);
}
const size = held.reduce((sum, message) => sum + Buffer.byteLength(message) + 1, 0) / held.length;
console.log(`${held.length} messages of ${size.toFixed(1)} bytes, models fitted to ${text.length} bytes of others\n`);
console.log(
  table(
    [
      "profile",
      "fitted to one text",
      "fitted to lines",
      "to one text, behind a newline",
      "to lines, packed",
      "bytes of weights",
    ],
    rows,
  ),
);

interface Codec {
  readonly name: string;
  /** Bytes that both ends have beside the code. */
  readonly bytes: number;
  /** Of each message; below 0 where it was left out. */
  readonly sizes: readonly number[];
}

/** Models beside what people use today, message by message. */
async function compare(names: readonly string[]): Promise<void> {
  const lengths = held.map((message) => Buffer.byteLength(message));
  const codecs = others();
  const rows: string[][] = codecs.map((codec) => row(codec, lengths));
  for (const name of names) {
    const model = await load(name);
    const bytes = model.files.get("model.safetensors")!.length;
    const ideal = held.reduce((sum, message) => sum + model.score(`${message}\n`).bits, 0) / held.length;
    const cpu = process.cpuUsage();
    const codec = { name: basename(name), bytes, sizes: held.map((message) => model.pack(message).length) };
    const { user, system } = process.cpuUsage(cpu);
    const factors = codecs.map((other) => {
      const same = codec.sizes.filter((_, i) => other.sizes[i]! >= 0);
      return `${other.name.split(",")[0]} ${(mean(same) / mean(other.sizes)).toFixed(2)}`;
    });
    rows.push(row(codec, lengths));
    console.log(
      `${name}: ${ideal.toFixed(1)} bits a message by its surprisal, ${((user + system) / 1000 / held.length).toFixed(2)} ms of CPU a message; × ${factors.join(", × ")}`,
    );
  }
  console.log(`\n${held.length} messages of ${mean(lengths).toFixed(1)} bytes\n`);
  rows.sort((a, b) => Number(b[2]) - Number(a[2]));
  shown("codecs", table(["codec", "bytes at both ends", "bits a message", "of the message's bytes"], rows));
}

/** Prints a table, and writes it to the page where it is asked for. */
function shown(block: string, text: string): void {
  console.log(text);
  if (values.page) writeBlock(inRoot("docs/messages.md"), block, text);
}

/** What the context of earlier messages saves, beside the two bytes of a packet: of conversations, and of a gateway's log. */
async function channels(names: readonly string[]): Promise<void> {
  const conversations = (values.dev ? all.conversations.dev : all.conversations.held).slice(0, 30);
  const rows: string[][] = [];
  for (const name of names) {
    rows.push(await channelRow(basename(name), conversations, () => load(name)));
  }
  const log = readFileSync(inRoot("examples/gateway/gateway.log"), "utf8").trimEnd().split("\n");
  const half = log.length >> 1;
  for (const profile of ["nano", "potato"] as const) {
    const { files } = await fit(() => [Buffer.from(linesOf(log.slice(0, half), 1e9))], {
      profile,
      boundary: "newline",
    });
    rows.push(await channelRow(`${profile}, a gateway's log`, [log.slice(half)], () => load(files)));
  }
  console.log("Bits a message; a packet has 16 more\n");
  shown("channels", table(["model", "messages", "bits of a message", "alone", "in a channel", "in order"], rows));
}

async function channelRow(
  name: string,
  conversations: readonly (readonly string[])[],
  loaded: () => Promise<Model>,
): Promise<string[]> {
  const messages = conversations.flat();
  const [here, there] = [await loaded(), await loaded()];
  const own = messages.reduce((sum, message) => sum + Buffer.byteLength(message), 0);
  const alone = messages.reduce((sum, message) => sum + here.pack(message).length, 0);
  const totals = [own, alone];
  for (const ordered of [false, true]) {
    let bytes = 0;
    for (const conversation of conversations) {
      const ends = [await here.channel({ ordered }), await there.channel({ ordered })] as const;
      // one end speaks, the other answers
      for (const [i, message] of conversation.entries()) {
        const packet = await ends[i % 2]!.send(message);
        bytes += packet.length - 2;
        const { text } = await ends[1 - (i % 2)]!.receive(packet);
        if (text !== message) throw new Error(`${name}: ${message} came otherwise`);
      }
      for (const end of ends) end.close();
    }
    totals.push(bytes);
  }
  return [name, String(messages.length), ...totals.map((bytes) => ((8 * bytes) / messages.length).toFixed(1))];
}

function row({ name, bytes, sizes }: Codec, lengths: readonly number[]): string[] {
  const taken = lengths.filter((_, i) => sizes[i]! >= 0);
  return [
    name,
    bytes.toLocaleString("en"),
    (8 * mean(sizes)).toFixed(1),
    `${((100 * mean(sizes)) / mean(taken)).toFixed(1)} %`,
  ];
}

/** Of those that are not left out. */
function mean(sizes: readonly number[]): number {
  const taken = sizes.filter((size) => size >= 0);
  return taken.reduce((sum, size) => sum + size, 0) / taken.length;
}

/** What Python's packages make of the same messages. */
function others(): Codec[] {
  const folder = mkdtempSync(join(tmpdir(), "saffu-codecs-"));
  try {
    const file = join(folder, "fit");
    writeFileSync(file, `${all.fit.join("\n")}\n`);
    const { stdout, status } = spawnSync(process.env.PYTHON ?? "python3", [inLab("baselines/codecs.py"), file], {
      input: `${held.join("\n")}\n`,
      encoding: "utf8",
      maxBuffer: 1 << 26,
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (status === 0) return JSON.parse(stdout);
    console.error("skipped: other codecs: pip install -r baselines/codecs.txt, and PYTHON names the interpreter");
    return [];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
