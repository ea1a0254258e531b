/**
 * Keystrokes that three suggestions save on held-out books: saffu beside Presage and a Kneser-Ney trie of words, with their own data and after 10,000
 * words of the writer: `npm run suggest --prefix tools/lab` (minutes). `-- --help` tells the options.
 */
import { parseArgs } from "node:util";
import { load, type Model } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { benchCorpus, firstWords } from "./corpora/gutenberg.ts";
import { inRoot } from "./paths.ts";
import { finished, type Keyboard, type Typed, typed } from "./suggest/keystrokes.ts";
import { presage } from "./suggest/presage.ts";
import { SaffuKeyboard } from "./suggest/saffu.ts";
import { Trie, TrieKeyboard } from "./suggest/word-trie.ts";

const HELP = `npm run suggest -- [options]
  --dev         the book that settings are chosen on; otherwise those that figures are reported on
  --words N     typed of each book; 1000 by default
  --learned N   words of the same book that are learned before; 10000 by default
  --models A,B  nano-en and potato-en by default
  --trie W,S    words of the trie, and the share of what the writer wrote; chosen on dev by default
  --alone       without trie and Presage`;

const { values } = parseArgs({
  options: {
    dev: { type: "boolean", default: false },
    words: { type: "string", default: "1000" },
    learned: { type: "string", default: "10000" },
    models: { type: "string", default: "nano-en,potato-en" },
    trie: { type: "string", default: "11000,0.3" },
    alone: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}

const corpus = benchCorpus();
const DEV = "melville-moby_dick";
const books = (values.dev ? corpus.dev.filter(({ name }) => name === DEV) : corpus.test).map(({ name, text }) => {
  const line = text.replace(/\s+/g, " ").trim();
  const learned = firstWords(line, Number(values.learned));
  return { name, learned, held: firstWords(line.slice(learned.length + 1), Number(values.words)) };
});
const rows: string[][] = [];

/** What suggests, anew for each measurement: with its own data, or what the writer wrote. */
interface System {
  readonly name: string;
  readonly bytes: number | undefined;
  start(learned: string): Promise<{ keyboard: Keyboard; end?: () => void; forget?: () => Promise<Keyboard> }>;
}

const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
const savings = ({ keys, characters }: Typed) => 1 - keys / characters;

async function measure({ name, bytes, start }: System): Promise<void> {
  for (const book of books) {
    const cells = [`${name}`, bytes === undefined ? "" : String(bytes), book.name];
    const times: number[] = [];
    for (const learned of ["", book.learned]) {
      for (const once of [true, false]) {
        const { keyboard, end } = await start(learned);
        const found = await typed(keyboard, book.held, once);
        if (!once) times.push(...found.milliseconds);
        cells.push(percent(savings(found)));
        end?.();
      }
    }
    const { keyboard, end } = await start("");
    const { words, three, first } = await finished(keyboard, book.held);
    end?.();
    times.sort((a, b) => a - b);
    cells.push(
      percent(first / words),
      percent(three / words),
      keyboard.apart ? "" : times[Math.floor(0.99 * times.length)]!.toFixed(1),
    );
    rows.push(cells);
    console.error(cells.join(" | "));
  }
}

/** Whether each key has the suggestions that it had before the writer's words were learned and forgotten, and how many keys there are. */
async function forgets(model: Model, learned: string, held: string): Promise<string> {
  const keys = () => {
    const session = model.session();
    const all = [...held].map((key) => {
      session.push(key);
      return JSON.stringify(session.suggest());
    });
    session.close();
    return all;
  };
  const before = keys();
  await learn(model, learned);
  const between = keys();
  await model.forget(learned);
  await model.refit();
  const after = keys();
  const changed = between.filter((key, i) => key !== before[i]).length;
  const same = after.filter((key, i) => key === before[i]).length;
  return `${changed} of ${before.length} keys have other suggestions after ${learned.split(" ").length} words are learned; forgotten, ${same} have those of before`;
}

/** Of a model's weights and tokenizer. */
async function bytesOf(directory: string): Promise<number> {
  const { files } = await load(directory);
  return files.get("model.safetensors")!.length + files.get("tokenizer.json")!.length;
}

async function learn(model: Model, text: string): Promise<void> {
  await model.observe(text);
  await model.refit();
}

for (const name of values.models.split(",").filter((each) => each !== "")) {
  const directory = inRoot("models", name);
  const bytes = await bytesOf(directory);
  await measure({
    name: `\`${name}\``,
    bytes,
    async start(learned) {
      const model = await load(directory);
      if (learned !== "") await learn(model, learned);
      const keyboard = new SaffuKeyboard(model);
      if (learned !== "") keyboard.type(`${learned} `); // the session goes on where the writer stopped
      return { keyboard, end: () => keyboard.end() };
    },
  });
}
const [words, share] = values.trie.split(",").map(Number) as [number, number];
if (!values.alone) {
  const trie = new Trie(corpus.train, { bytes: await bytesOf(inRoot("models", "potato-en")), words, share });
  console.error(`trie: ${trie.ngrams.join(", ")} n-grams`);
  await measure({
    name: "Kneser-Ney trie of words",
    bytes: trie.bytes,
    start: async (learned) => ({ keyboard: new TrieKeyboard(trie, learned) }),
  });
}
const asked = values.alone ? undefined : presage();
if (asked === undefined && !values.alone) {
  console.log("Presage is left out: apt-get install g++ libpresage-dev libpresage-data brings it\n");
} else if (asked !== undefined) {
  await measure({
    name: "Presage 0.9.1",
    bytes: asked.bytes,
    async start(learned) {
      const keyboard = asked.start();
      if (learned !== "") await keyboard.learn(learned);
      return { keyboard, end: () => keyboard.end() };
    },
  });
}
const counts = books.map(
  ({ name, learned, held }) => `${name} ${learned.split(" ").length} and ${held.split(" ").length}`,
);
console.log(`words learned and typed: ${counts.join("; ")}\n`);
console.log(
  table(
    [
      "",
      "bytes",
      "book",
      "saved, own data",
      "shown again",
      "saved, learned",
      "shown again",
      "last letter cut: first",
      "of three",
      "p99, CPU ms a key",
    ],
    rows,
  ),
);
const name = values.models.split(",").at(-1)!;
if (name !== "") {
  const [book] = books;
  const held = firstWords(book!.held, 100);
  console.log(`\n${name}: ${await forgets(await load(inRoot("models", name)), book!.learned, held)}`);
}
