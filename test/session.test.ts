/** Sessions: a stream in pushes is the same stream; places are saved, restored and forked to the bit; what is learned reaches them. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { load, type Model, type Session } from "../host/index.ts";
import { partsOf, sealed, withHeader } from "../tools/fuzz/mutations.ts";
import { expectSame, learningModel, lines } from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";
import { LICENCE } from "./texts.ts";

let potato: Model;
let bytes: Model;
beforeAll(async () => {
  potato = await load("models/potato-en");
  bytes = await load(await learningModel());
});

const TEXT = LICENCE.slice(2000, 3200);
const all = (session: Session, chunks: (string | Uint8Array)[]) => [
  ...chunks.flatMap((chunk) => session.push(chunk).pieces),
  ...session.flush().pieces,
];

describe("a stream in pushes", () => {
  test("has the tokens and bits of the whole, however it is cut, with their places in it", () => {
    const texts = fc.oneof(
      fc.constantFrom(TEXT.slice(0, 200), "naïve façade — 🙂🙂 ok  \n\n  \u00a0x", "don't they're 12 345"),
      fc.string({ unit: "grapheme", maxLength: 60 }),
    );
    fc.assert(
      fc.property(texts, fc.array(fc.nat(220), { maxLength: 8 }), fc.boolean(), (text, cuts, asBytes) => {
        const whole: string | Uint8Array = asBytes ? new TextEncoder().encode(text) : text;
        const at = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
        const session = potato.session();
        const found = all(
          session,
          at.slice(1).map((end, i) => whole.slice(at[i], end)),
        );
        session.close();
        expect(found.map(({ id }) => id)).toEqual([...potato.tokenizer.encode(whole)]);
        expect(Float32Array.from(found, ({ bits }) => bits)).toEqual(potato.score(whole).surprisal);
        const spelled = new TextEncoder().encode(text);
        let end = 0;
        for (const piece of found) {
          expect(piece.start).toBe(end);
          end = piece.end;
          expect([...spelled.slice(piece.start, piece.end)]).toEqual([...potato.tokenizer.bytesOf(piece.id)]);
        }
        expect(end).toBe(spelled.length);
      }),
      { numRuns: 150 },
    );
  });

  test("says what each push came to, and what is held back", () => {
    const session = potato.session();
    const first = session.push("It was a dark nig");
    expect(first.bytes + session.heldBack).toBe(17);
    expect(session.heldBack).toBeGreaterThan(0);
    expect(first.tokens).toBe(first.pieces.length);
    expect(first.bits).toBe(first.pieces.reduce((sum, { bits }) => sum + bits, 0));
    const second = session.push("ht.");
    const rest = session.flush();
    expect(session.heldBack).toBe(0);
    expect(first.bytes + second.bytes + rest.bytes).toBe(session.bytes);
    const { bits } = potato.score("It was a dark night.");
    expect(first.bits + second.bits + rest.bits).toBeCloseTo(bits, 5);
    expect(session.push("")).toEqual({ bits: 0, tokens: 0, bytes: 0, pieces: [] });
    session.close();
  });

  test("takes ids, before which what is held back is settled", () => {
    const session = potato.session();
    const { tokenizer } = potato;
    const found = [...session.push("The mill").pieces, ...session.push(tokenizer.encode("er of")).pieces];
    expect(found.map(({ id }) => id)).toEqual([...tokenizer.encode("The mill"), ...tokenizer.encode("er of")]);
    expect(session.heldBack).toBe(0);
    expect(() => session.push(Uint16Array.of(1024))).toThrow(refusal("TOKEN_OUT_OF_RANGE") as Error);
    expect(() => session.push(5 as unknown as string)).toThrow(refusal("INVALID_TEXT") as Error);
    expect(session.bytes).toBe(13);
    session.close();
  });

  test("predicts what the whole does: the next token, and what may follow what is held back", () => {
    const session = potato.session();
    session.push("It was a dark nig");
    session.flush();
    expect(session.predict()).toEqual(potato.predict("It was a dark nig"));
    const other = potato.session();
    other.push("It was a dark ");
    other.push("nig");
    expect(other.candidates({ top: 5 })).toEqual(potato.candidates("It was a dark nig", { top: 5 }));
    const before = other.heldBack;
    expect(new TextDecoder().decode(other.candidates({ top: 1 })[0]!.bytes)).toMatch(/^ht/);
    expect(other.heldBack).toBe(before);
    for (const each of [session, other]) each.close();
  });
});

describe("a place", () => {
  test("is forked and restored to the bit, and each goes its own way", () => {
    const step = fc.constantFrom("the miller ", "weighs grain", ". ", "by the st", "air\n", "é", "🙂");
    const steps = fc.array(step, { maxLength: 8 });
    fc.assert(
      fc.property(steps, steps, steps, (before, here, there) => {
        for (const model of [bytes, potato]) {
          const session = model.session();
          for (const text of before) session.push(text);
          const saved = session.save();
          const fork = session.fork();
          const ours = all(session, here);
          const theirs = all(fork, there);
          const one = model.session();
          for (const text of before) one.push(text);
          expect(all(one, there)).toEqual(theirs);
          session.restore(saved);
          expect(all(session, there)).toEqual(theirs);
          one.restore(saved);
          expectSame(one.save(), saved);
          expect(all(one, here)).toEqual(ours);
          for (const each of [session, fork, one]) each.close();
        }
      }),
      { numRuns: 15 },
    );
  });

  test("goes to another process, and to the other build", async () => {
    const session = potato.session();
    session.push(TEXT);
    session.push("the boil");
    const saved = session.save();
    const scalar = await load("models/potato-en", { build: "scalar" });
    const other = scalar.session();
    other.restore(saved);
    expect(all(other, ["er", " is warm."])).toEqual(all(session, ["er", " is warm."]));
    for (const each of [session, other]) each.close();
  });

  test("of another model, cut, altered or of another kind is refused, and changes nothing", async () => {
    const session = potato.session();
    session.push("The boiler");
    const before = session.save();
    const foreign = bytes.session().save();
    expect(() => session.restore(foreign)).toThrow(refusal("STATISTICS_MISMATCH", "base") as Error);
    const altered = before.slice();
    altered[altered.length - 20]! ^= 1;
    expect(() => session.restore(altered)).toThrow(refusal("MODEL_DIGEST") as Error);
    for (let length = 0; length < before.length; length += 4999) {
      expect(() => session.restore(before.slice(0, length)), `${length}`).toThrow(
        /MODEL_|header|bytes|safetensors|session/i,
      );
    }
    expect(() => session.restore(potato.files.get("model.safetensors")!)).toThrow(
      refusal("MODEL_CORRUPT", "format") as Error,
    );
    const text = new TextDecoder("latin1").decode(before);
    const older = Uint8Array.from(text.replace('"version":"1"', '"version":"9"'), (c) => c.charCodeAt(0));
    expect(() => session.restore(sealed(older))).toThrow(refusal("MODEL_VERSION", '"9"') as Error);
    expectSame(session.save(), before);
    session.close();
  });

  test("that is closed takes no more calls", () => {
    const session = potato.session();
    session.close();
    session.close();
    for (const call of [
      () => session.push("a"),
      () => session.flush(),
      () => session.predict(),
      () => session.fork(),
    ]) {
      expect(call).toThrow(refusal("INVALID_OPTION", "closed") as Error);
    }
    expect(() => potato.session({ learn: 1 as unknown as boolean })).toThrow(
      refusal("INVALID_OPTION", "learn") as Error,
    );
  });

  test("is in nobody's way: calls and other sessions go on beside it", () => {
    const sessions = Array.from({ length: 6 }, () => potato.session());
    const wanted = potato.score(TEXT).surprisal;
    for (const session of sessions) session.push(TEXT.slice(0, 100));
    expect(potato.score(TEXT).surprisal).toEqual(wanted);
    for (const session of sessions) {
      const found = [...session.push(TEXT.slice(100)).pieces, ...session.flush().pieces];
      expect(session.bytes).toBe(new TextEncoder().encode(TEXT).length);
      expect(found.at(-1)!.bits).toBe(wanted.at(-1));
      session.close();
    }
  });
});

describe("a session that learns", () => {
  test("observes what was pushed, piece by piece, as the texts would be; each is forgotten by its text", async () => {
    const model = await load(await learningModel());
    const twin = await load(model.files);
    const session = model.session({ learn: true });
    const pieces = [lines(8), lines(5, 2), lines(9, 3)];
    for (const text of pieces) {
      for (let at = 0; at < text.length; at += 7) session.push(text.slice(at, at + 7));
      const { tokens } = await session.observe();
      expect(tokens).toBe(text.length);
      await twin.observe(text);
    }
    expect(await model.exportStatistics()).toEqual(await twin.exportStatistics());
    session.push("this is not learned");
    session.skip();
    expect(await session.observe()).toMatchObject({ tokens: 0 });
    for (const text of pieces) await model.forget(text);
    expect((await model.statistics()).observedTokens).toBe(0);
    expect(session.bytes).toBe(pieces.join("").length + 19);
    session.close();
  });

  test("keeps its context through refits, and predicts with what they solve", async () => {
    const model = await load(await learningModel());
    const session = model.session({ learn: true });
    session.push(lines(300));
    await session.observe();
    const before = session.predict();
    await model.refit({ pseudoCounts: 10 });
    const after = session.predict();
    expect(after).not.toEqual(before);
    // the same stream, read by a session that was opened after the refit
    const other = model.session();
    other.push(lines(300));
    other.flush();
    const [mine, theirs] = [session.push("the miller "), other.push("the miller ")];
    expect(mine.tokens).toBe(theirs.tokens);
    // a place that was saved before goes on with what is learned now
    const saved = session.save();
    const corrected = session.predict();
    model.dropCorrection();
    const plain = session.predict();
    expect(plain).not.toEqual(corrected);
    session.restore(saved);
    expect(session.predict()).toEqual(plain);
    for (const each of [session, other]) each.close();
  });

  test("observes each piece once, whatever is called meanwhile; what fails can be observed again; a fork has none of it", async () => {
    const model = await load(await learningModel());
    const session = model.session({ learn: true });
    session.push("the miller ");
    const place = session.save();
    const [first, second] = await Promise.all([session.observe(), session.observe()]);
    expect([first.tokens, second.tokens]).toEqual([11, 0]);
    session.push("weighs ");
    const fork = session.fork();
    await expect(session.observe({ signal: AbortSignal.abort() })).rejects.toThrow(refusal("ABORTED"));
    session.push("grain");
    expect((await session.observe()).tokens).toBe(12);
    expect((await fork.observe()).tokens).toBe(0);
    // a place that is restored while a piece is learned keeps its own
    session.push("again");
    const learning = session.observe();
    session.restore(place);
    await learning;
    expect((await session.observe()).tokens).toBe(11);
    for (const text of ["the miller ", "weighs grain", "again", "the miller "]) await model.forget(text);
    for (const each of [session, fork]) each.close();
  });

  test("of bytes holds nothing back: a token is a byte", () => {
    const session = bytes.session();
    for (const character of "temp=60.1") expect(session.push(character).tokens).toBe(1);
    expect(session.heldBack).toBe(0);
    session.push("\ud83d");
    expect(session.heldBack).toBe(3);
    session.close();
  });

  test("whose state came from hostile bytes harms no other call", async () => {
    const model = await load(await learningModel());
    const wanted = model.score(lines(30)).surprisal;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3000), fc.nat(255)), { minLength: 1, maxLength: 60 }), (edits) => {
        const session = model.session();
        session.push(lines(5));
        const { header, data } = partsOf(session.save());
        for (const [at, byte] of edits) data[data.length - 1 - (at % data.length)] = byte;
        try {
          session.restore(sealed(withHeader(header, data)));
          session.push(lines(5, 2));
        } catch (error) {
          expect((error as { name: string }).name).toBe("SaffuError");
        }
        session.close();
        expect(model.score(lines(30)).surprisal).toEqual(wanted);
      }),
      { numRuns: 100 },
    );
  });

  test("peeks at what a text would come to, and stays where it is", async () => {
    const model = await load(await learningModel());
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), fc.string({ maxLength: 30 }), (before, text) => {
        const [session, other] = [model.session(), model.session()];
        for (const each of [session, other]) each.push(before);
        const place = Buffer.from(session.save());
        const held = session.heldBack;
        const { bits, bytes, pieces } = session.peek(text);
        expect(Buffer.compare(place, Buffer.from(session.save()))).toBe(0);
        expect(session.peek(text).bits).toBe(bits);
        const [pushed, flushed] = [other.push(text), other.flush()];
        expect(bytes).toBe(pushed.bytes + flushed.bytes);
        expect(bytes).toBe(held + Buffer.from(text.toWellFormed?.() ?? text).length);
        expect(pieces.map(({ id }) => id)).toEqual([...pushed.pieces, ...flushed.pieces].map(({ id }) => id));
        expect(bits).toBeCloseTo(pushed.bits + flushed.bits, 6);
        for (const each of [session, other]) each.close();
      }),
      { numRuns: 60 },
    );
  });

  test("without learn keeps nothing to observe", async () => {
    const session = bytes.session();
    session.push("a");
    await expect(session.observe()).rejects.toThrow(refusal("INVALID_OPTION", "learn: true"));
    session.close();
  });
});
