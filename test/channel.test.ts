/** `model.channel`: both ends stay in step over a link that loses, doubles and reorders; they learn the same, and un-learn it where one starts anew. */
import { fork } from "node:child_process";
import { once } from "node:events";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Channel,
  type ChannelOptions,
  fit,
  load,
  type Model,
  type ModelFiles,
  SaffuError,
  symbolTokenizer,
} from "../host/index.ts";
import { compileQuickly } from "./compile-warm.ts";
import { SMALL } from "./fit-fixture.ts";
import { randomModel, refusal } from "./model-fixture.ts";
import { messages } from "./texts.ts";

compileQuickly();

const CHATS = Object.values(JSON.parse(messages("it")) as Record<string, string>).map((each) =>
  each.replace(/\n/g, " "),
);
const HELD = CHATS.filter((_, i) => i % 10 === 9);
/** What people send, and bytes that no code makes shorter. */
const MIXED = [
  ...HELD.slice(0, 30),
  "\n",
  "🙂 47.3769N 8.5417E\nDL1ABC",
  "\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007",
];

let files: Record<"lines" | "tokens" | "random", ModelFiles>;
beforeAll(async () => {
  const text = new TextEncoder().encode(
    `${CHATS.filter((_, i) => i % 10 !== 9)
      .slice(0, 500)
      .join("\n")}\n`,
  );
  files = {
    lines: (await fit(() => [text], { profile: "nano", boundary: "newline", threads: 0 })).files,
    tokens: (await fit(() => [text], SMALL)).files,
    random: await randomModel(),
  };
}, 300_000);

/** Two ends, of different builds. */
async function ends(of: ModelFiles, options: ChannelOptions = {}) {
  const models = [await load(of, { build: "simd" }), await load(of, { build: "scalar" })] as const;
  const channels = [await models[0].channel(options), await models[1].channel(options)] as const;
  return { models, channels, close: () => void channels.map((each) => each.close()) };
}

/** What a link does with the packet of a message, and who sends it. */
const event = fc.record({
  from: fc.constantFrom(0, 1),
  text: fc.constantFrom(...MIXED, ""),
  fate: fc.constantFrom("arrives", "arrives", "arrives", "lost", "doubled", "late"),
});

describe.each(["lines", "tokens", "random"] as const)("a model of %s", (name) => {
  test.each([{}, { ordered: true }, { checksum: 1 }])(
    "whatever a link does, what arrives is what was sent, or lost by name: %o",
    async (options) => {
      const { models, close } = await ends(files[name], options);
      close();
      await fc.assert(
        fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 50 }), async (events) => {
          const pair = [await models[0].channel(options), await models[1].channel(options)] as const;
          const late: { to: Channel; packet: Uint8Array; text: string }[] = [];
          const deliver = async (to: Channel, packet: Uint8Array, text: string, again = false) => {
            try {
              const received = await to.receive(packet);
              expect(received.text).toBe(text);
              if (again) expect(received.duplicate).toBe(true);
              return true;
            } catch (error) {
              if (!(error instanceof SaffuError) || error.code !== "CHANNEL_LOST") throw error;
              return false;
            }
          };
          let inOrder = true;
          for (const { from, text, fate } of events) {
            const to = pair[1 - from]!;
            const packet = await pair[from]!.send(text);
            if (fate === "late" || fate === "lost") inOrder = false;
            if (fate === "late") late.push({ to, packet, text });
            if (fate === "lost" || fate === "late") continue;
            const arrived = await deliver(to, packet, text);
            if (inOrder) expect(arrived).toBe(true); // nothing was lost so far
            if (arrived && fate === "doubled") await deliver(to, packet, text, true);
            if (late.length > 2) for (const each of late.splice(0)) await deliver(each.to, each.packet, each.text);
          }
          // an empty message each way, and both go on
          const hello = async (a: Channel, b: Channel) =>
            b.receive(await a.send("")).catch(() => b.send("").then((packet) => a.receive(packet)));
          for (let round = 0; round < 2; ++round) {
            await hello(pair[0], pair[1]).catch(() => {});
            await hello(pair[1], pair[0]).catch(() => {});
          }
          expect(await deliver(pair[1], await pair[0].send("ciao"), "ciao")).toBe(true);
          expect(await deliver(pair[0], await pair[1].send("a dopo"), "a dopo")).toBe(true);
          for (const each of pair) each.close();
        }),
        { numRuns: name === "lines" ? 40 : 12 },
      );
    },
    120_000,
  );
});

test("a message costs less behind those before, and an acknowledgement two bytes", async () => {
  const { models, channels, close } = await ends(files.lines);
  const [a, b] = channels;
  const lines = Array.from({ length: 30 }, (_, i) => `heatpump/7 state=heating inlet=3${i % 10}.5 outlet=41.0`);
  let [alone, inChannel] = [0, 0];
  for (const line of lines) {
    const packet = await a.send(line);
    alone += models[0].pack(line).length;
    inChannel += packet.length;
    expect(await b.receive(packet)).toMatchObject({ text: line, duplicate: false, missing: 0 });
    const answer = await b.send("");
    expect(answer.length).toBe(2);
    await a.receive(answer);
  }
  expect(inChannel).toBeLessThan(alone / 2);
  close();
});

test("what is missing is counted, and what is late is read", async () => {
  const { channels, close } = await ends(files.tokens);
  const [a, b] = channels;
  const packets: Uint8Array[] = [];
  for (const text of ["uno", "due", "tre", "quattro"]) packets.push(await a.send(text));
  expect(await b.receive(packets[0]!)).toMatchObject({ text: "uno", missing: 0, duplicate: false });
  expect(await b.receive(packets[3]!)).toMatchObject({ text: "quattro", missing: 2 });
  expect(await b.receive(packets[1]!)).toMatchObject({ text: "due", missing: 0, duplicate: false });
  expect(await b.receive(packets[1]!)).toMatchObject({ text: "due", duplicate: true });
  close();
});

test("the same text sixteen messages later is no duplicate", async () => {
  const { channels, close } = await ends(files.lines);
  const [a, b] = channels;
  for (let i = 0; i < 40; ++i)
    expect(await b.receive(await a.send("ok"))).toMatchObject({ text: "ok", duplicate: false });
  close();
});

/** Sums and memory of a model that learned texts one by one. */
async function learned(of: ModelFiles, texts: readonly string[]): Promise<Model> {
  const model = await load(of);
  for (const text of texts) await model.observe(`${text}\n`);
  if (texts.length > 0) await model.refit();
  return model;
}

test.each(["lines", "tokens"] as const)(
  "both ends learn what both have, and un-learn it where one starts anew: %s",
  async (name) => {
    const { models, channels, close } = await ends(files[name], { learn: 4 });
    const [a, b] = channels;
    const chat = HELD.slice(0, 11);
    for (const [i, text] of chat.entries()) {
      const [from, to] = i % 2 ? [b, a] : [a, b];
      expect((await to.receive(await from.send(text))).text).toBe(text);
    }
    // the last message was packed behind ten, of which eight fill two lessons
    const wanted = await learned(files[name], chat.slice(0, 8));
    for (const model of models) {
      expect(await model.exportStatistics({ memory: true })).toEqual(await wanted.exportStatistics({ memory: true }));
      expect(model.pack(chat[10]!)).toEqual(wanted.pack(chat[10]!));
    }
    // one end is started anew: what it sends is read, and the other forgets
    a.close();
    const anew = await load(files[name]);
    const again = await anew.channel({ learn: 4 });
    expect((await b.receive(await again.send("ciao"))).text).toBe("ciao");
    expect((await again.receive(await b.send("ancora qui"))).text).toBe("ancora qui");
    const base = await load(files[name]);
    expect(await models[1].exportStatistics({ memory: true })).toEqual(await base.exportStatistics({ memory: true }));
    expect(models[1].pack(chat[10]!)).toEqual(base.pack(chat[10]!));
    again.close();
    close();
  },
  60_000,
);

test("ends that have learned other texts, or have other models, notice it; then nothing has changed", async () => {
  const one = await (await load(files.lines)).channel();
  const taught = await (await learned(files.lines, ["un testo che l'altro non conosce"])).channel();
  const other = await (await load(files.tokens)).channel();
  const packet = await one.send(HELD[0]!);
  await expect(taught.receive(packet)).rejects.toThrow(refusal("CHANNEL_LOST", "learned") as Error);
  await expect(other.receive(packet)).rejects.toThrow(refusal("CHANNEL_LOST") as Error);
  const first = await taught.send("a");
  await expect(one.receive(first)).rejects.toThrow(refusal("CHANNEL_LOST") as Error);
});

test("one that starts again and again is understood, and a duplicate of an unanswered message is told", async () => {
  const [device, gateway] = [await load(files.lines), await (await load(files.lines)).channel()];
  const said: boolean[] = [];
  for (let boot = 0; boot < 12; ++boot) {
    const channel = await device.channel();
    for (const text of ["boot", "21.5 C"]) said.push((await gateway.receive(await channel.send(text))).duplicate);
    expect((await channel.receive(await gateway.send("go on"))).text).toBe("go on");
    channel.close();
  }
  // a message is lost where a start draws the number of the last: one in sixteen
  expect(said.filter(Boolean).length).toBeLessThan(12);
  const { channels, close } = await ends(files.lines);
  const packets: Uint8Array[] = [];
  for (const text of ["a", "b", "c", "d"]) packets.push(await channels[0].send(text));
  const found = [];
  for (const i of [3, 0, 3, 1, 2, 3]) found.push((await channels[1].receive(packets[i]!)).duplicate);
  expect(found).toEqual([false, false, true, false, false, true]);
  close();
});

test("stray packets cost no context, and a Buffer that is written to again changes nothing", async () => {
  const { channels, close } = await ends(files.lines, { learn: 2, ordered: true });
  const [a, b] = channels;
  const text = "heatpump/7 state=heating inlet=31.5";
  for (let i = 0; i < 6; ++i) await b.receive(await a.send(text));
  await b.send("").then((packet) => a.receive(packet));
  const before = (await a.send(text)).length;
  await expect(a.receive(Uint8Array.of(0x31, 5))).rejects.toThrow(refusal("CHANNEL_LOST") as Error);
  expect((await a.send(text)).length).toBeLessThanOrEqual(before + 1);
  const given = Buffer.from("on my way");
  const packet = a.send(given);
  given.fill(0x58);
  const carried = Buffer.from(await packet);
  const received = b.receive(carried);
  const copy = Uint8Array.from(carried);
  carried.fill(0);
  const { message } = await received.catch(() =>
    b
      .send("")
      .then((answer) => a.receive(answer))
      .then(async () => b.receive(await a.send("on my way"))),
  );
  expect(new TextDecoder().decode(message)).toBe("on my way");
  expect(copy.length).toBeGreaterThan(2);
  close();
});

test("a channel notices that its model has learned, and ids of symbols are a message as any bytes are", async () => {
  const model = await load(files.lines);
  const [one, two] = [await model.channel(), await model.channel({ learn: 1 })];
  await model.observe("un testo\n");
  await expect(one.send("x")).rejects.toThrow(refusal("STATISTICS_MISMATCH") as Error);
  await expect(two.receive(await (await (await load(files.lines)).channel({ learn: 1 })).send("x"))).rejects.toThrow(
    refusal("STATISTICS_MISMATCH") as Error,
  );
  const { files: symbols } = await fit(() => [Uint16Array.from({ length: 200 }, (_, i) => i % 7)], {
    ...{ profile: "nano", tokenizer: symbolTokenizer(12), threads: 0 },
  });
  const { channels, close } = await ends(symbols);
  for (const text of ["1 2 3", "on my way", "99999", ""]) {
    expect((await channels[1].receive(await channels[0].send(text))).text).toBe(text);
    const of = await load(symbols);
    expect(new TextDecoder().decode(of.unpack(of.pack(text)))).toBe(text);
  }
  close();
});

test("ends with other options that both need notice it at the first packet", async () => {
  const model = await load(files.lines);
  const all: ChannelOptions[] = [{}, { learn: 2 }, { learn: 4 }, { learn: 258 }, { checksum: 1 }, { checksum: 2 }];
  for (const here of all) {
    for (const there of all) {
      const [a, b] = [await model.channel(here), await model.channel({ ...there, ordered: true })];
      const packet = await a.send("ciao");
      if (here === there) expect((await b.receive(packet)).text).toBe("ciao");
      else await expect(b.receive(packet)).rejects.toThrow(refusal("CHANNEL_LOST", "options") as Error);
    }
  }
});

test("hostile packets end in a message or an error, and change nothing that is refused", async () => {
  const { channels, close } = await ends(files.lines, { maxBytes: 200 });
  const [a, b] = channels;
  await b.receive(await a.send("prima"));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
      try {
        expect((await b.receive(bytes)).message.length).toBeLessThanOrEqual(200);
      } catch (error) {
        expect(error).toBeInstanceOf(SaffuError);
        expect(["INVALID_MESSAGE", "CHANNEL_LOST"]).toContain((error as SaffuError).code);
      }
    }),
    { numRuns: 300 },
  );
  close();
  await expect(a.send("x")).rejects.toThrow(refusal("INVALID_OPTION") as Error);
});

test("calls that come at once go one after another, what is given may change meanwhile, and what waits when it is closed is refused", async () => {
  const { channels, close } = await ends(files.lines, { learn: 2 });
  const [a, b] = channels;
  const given = new TextEncoder().encode("uno due tre");
  const sent = Promise.all(["primo", given, "terzo"].map((each) => a.send(each)));
  given.fill(0x78);
  const texts = await Promise.all((await sent).map((packet) => b.receive(packet)));
  expect(texts.map(({ text }) => text)).toEqual(["primo", "uno due tre", "terzo"]);
  const waiting = Promise.allSettled([a.send("x"), a.send("y")]);
  close();
  for (const each of await waiting) {
    expect(each).toMatchObject({ status: "rejected", reason: refusal("INVALID_OPTION", "closed") });
  }
  await expect(b.receive("packet" as never)).rejects.toThrow(refusal("INVALID_OPTION", "packet") as Error);
});

test.each([{ ordered: 1 }, { learn: 0 }, { learn: 1.5 }, { learn: 1025 }, { checksum: 5 }, { maxBytes: -1 }])(
  "options out of bounds are refused: %o",
  async (options) => {
    const model = await load(files.lines);
    await expect(model.channel(options as ChannelOptions)).rejects.toThrow(refusal("INVALID_OPTION") as Error);
  },
);

test("ends in processes of their own, one with SIMD, one without, over a link that loses, doubles and reorders", async () => {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const { join } = await import("node:path");
  const home = await mkdtemp(join(tmpdir(), "saffu-channel-"));
  const place = join(home, "model");
  await (await load(files.lines)).save(place);
  const child = (build: string) =>
    fork("test/channel-end.ts", [place, build], { execArgv: ["--import", "tsx"], serialization: "advanced" });
  const [a, b] = [child("simd"), child("scalar")];
  try {
    const ask = async (end: typeof a, request: object) => {
      const answer = once(end, "message");
      end.send(request);
      return (await answer)[0] as { packet?: Uint8Array; text?: string; code?: string };
    };
    const random = fc.sample(
      fc.record({
        back: fc.boolean(),
        fate: fc.constantFrom("arrives", "lost", "doubled", "late"),
        text: fc.constantFrom(...HELD),
      }),
      { numRuns: 60, seed: 5 },
    );
    let late: { to: typeof a; packet: Uint8Array; text: string }[] = [];
    let arrived = 0;
    const deliver = async (to: typeof a, packet: Uint8Array, text: string) => {
      const answer = await ask(to, { receive: packet });
      if (answer.code !== undefined) expect(answer.code).toBe("CHANNEL_LOST");
      else expect(answer.text).toBe(text);
      arrived += Number(answer.code === undefined);
    };
    for (const { back, fate, text } of random) {
      const [from, to] = back ? [b, a] : [a, b];
      const packet = (await ask(from, { send: text })).packet!;
      if (fate === "late") late.push({ to, packet, text });
      else if (fate !== "lost") await deliver(to, packet, text);
      if (fate === "doubled") await deliver(to, packet, text);
      if (late.length === 3) {
        for (const each of late) await deliver(each.to, each.packet, each.text);
        late = [];
      }
    }
    expect(arrived).toBeGreaterThan(40);
  } finally {
    a.kill();
    b.kill();
    await rm(home, { recursive: true });
  }
}, 60_000);
