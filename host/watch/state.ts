/**
 * A watch as bytes: safetensors with a digest of their own. `now` and `past.N` are copies of the module's memory, `events.N` what came since each, `lessons`
 * what labels taught.
 */
import { SaffuError } from "../errors.ts";
import type { Tensor } from "../files/safetensors.ts";
import { sealTensors, unsealTensors } from "../files/sealed.ts";
import type { Copy, Episode, Event } from "./history.ts";
import { isLabel, type Lesson } from "./lessons.ts";

const FORMAT = "saffu-watch";
const VERSION = "1";
const FILE = "the watch's state";

/** What is in it. */
export interface WatchState {
  /** Any JSON. */
  readonly notes?: unknown;
  readonly line: number;
  readonly now: Copy;
  readonly lessons: readonly Lesson[];
  readonly past: readonly { readonly copy: Copy; readonly after: number; readonly events: readonly Event[] }[];
}

/** Bytes in front of an event's own: what it is, its row, bits of a model, and how many bytes. */
const HEAD = 17;
/** Sixteenths of a bit that a model may find of a row. */
export const MOST_UNITS = 2 ** 30;
const KINDS = ["bytes", "numbers", "skip", "label"] as const;

export async function formatState({ line, now, lessons, past, notes }: WatchState): Promise<Uint8Array> {
  const tensors = new Map<string, Tensor>();
  const put = (name: string, data: Uint8Array) => {
    if (data.length > 0) tensors.set(name, { dtype: "U8", shape: [data.length], data } as Tensor);
  };
  const head = ({ lessons, episodes }: Copy) => ({ lessons, episodes });
  const about = { notes, line, now: head(now), past: past.map(({ copy, after }) => ({ after, ...head(copy) })) };
  put("about", new TextEncoder().encode(JSON.stringify(about)));
  put("lessons", new TextEncoder().encode(JSON.stringify(lessons)));
  put("now", now.state);
  for (const [i, { copy, events }] of past.entries()) {
    put(`past.${i}`, copy.state);
    put(`events.${i}`, eventsBytes(events));
  }
  return sealTensors(tensors, { format: FORMAT, version: VERSION }, FILE);
}

/** @throws SaffuError MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST */
export async function parseState(bytes: Uint8Array): Promise<WatchState> {
  const { tensors } = await unsealTensors(bytes, FILE, ({ format, version }) => {
    if (format !== FORMAT) throw corrupt(`"format" is not "${FORMAT}"`);
    if (version === VERSION) return;
    throw new SaffuError(
      "MODEL_VERSION",
      `${FILE}: version ${JSON.stringify(version)} found, only "${VERSION}" is supported`,
    );
  });
  const take = (name: string): Uint8Array => {
    const tensor = tensors.get(name);
    if (tensor !== undefined && tensor.dtype !== "U8") throw corrupt(`${name} is ${tensor.dtype}, not U8`);
    return (tensor?.data as Uint8Array | undefined) ?? new Uint8Array(0);
  };
  const { line, now, past, notes } = aboutOf(json(take("about"), "about"));
  const lessons = json(take("lessons"), "lessons");
  if (!Array.isArray(lessons) || !lessons.every(isLesson)) throw corrupt("lessons are none");
  const copyOf = (head: Head, state: Uint8Array): Copy => {
    if (head.lessons > lessons.length) throw corrupt(`a copy has ${head.lessons} lessons of ${lessons.length}`);
    return { state, lessons: head.lessons, episodes: head.episodes };
  };
  const parts = past.map((head, i) => ({
    copy: copyOf(head, take(`past.${i}`)),
    after: head.after,
    events: eventsOf(take(`events.${i}`)),
  }));
  // every row since the oldest copy is there once, in order
  let row = parts[0]?.after ?? line;
  for (const { after, events } of parts) {
    if (after !== row) throw corrupt(`a copy is of row ${after}, not ${row}`);
    for (const event of events) {
      if (event.do !== "label") row += 1;
      if (event.do === "label" ? event.row > row : event.row !== row) throw corrupt(`row ${row} is missing`);
    }
  }
  if (row !== line) throw corrupt(`rows end with ${row}, not ${line}`);
  return { notes, line, now: copyOf(now, take("now")), lessons, past: parts };
}

interface Head {
  readonly lessons: number;
  readonly episodes: readonly Episode[];
}

interface About {
  readonly notes?: unknown;
  readonly line: number;
  readonly now: Head;
  readonly past: readonly (Head & { readonly after: number })[];
}

function aboutOf(about: unknown): About {
  const found = about as About | null;
  const isHead = (head: Head | null) =>
    isWhole(head?.lessons) &&
    Array.isArray(head!.episodes) &&
    head!.episodes.every((episode) => isWhole(episode?.from) && isWhole(episode.to));
  const past = found?.past;
  const sound =
    isWhole(found?.line) &&
    isHead(found!.now) &&
    Array.isArray(past) &&
    past.length <= 2 &&
    past.every((head) => isHead(head) && isWhole(head.after) && head.after <= found!.line);
  if (!sound) throw corrupt("what it says of itself is incomplete");
  return found!;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLesson(value: unknown): value is Lesson {
  const { text, label, template } = (value ?? {}) as Partial<Lesson>;
  return typeof text === "string" && isLabel(label) && isWhole(template);
}

function json(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw corrupt(`${what} is no JSON`, cause);
  }
}

/** All events, one after the other: there may be more than a call has arguments. */
function eventsBytes(events: readonly Event[]): Uint8Array {
  const parts = events.map(eventBytes);
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function eventBytes(event: Event): Uint8Array {
  const own =
    event.do === "label"
      ? new TextEncoder().encode(JSON.stringify(event.lesson))
      : event.do === "skip"
        ? new Uint8Array(0)
        : event.input instanceof Uint8Array
          ? event.input
          : new Uint8Array(event.input.buffer, event.input.byteOffset, event.input.byteLength);
  const kind = event.do !== "row" ? event.do : event.input instanceof Uint8Array ? "bytes" : "numbers";
  const out = new Uint8Array(HEAD + own.length);
  const view = new DataView(out.buffer);
  view.setUint8(0, KINDS.indexOf(kind));
  view.setFloat64(1, event.row, true);
  view.setUint32(9, event.do === "row" ? event.model : 0, true);
  view.setUint32(13, own.length, true);
  out.set(own, HEAD);
  return out;
}

function eventsOf(bytes: Uint8Array): Event[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: Event[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEAD) throw corrupt("an event is cut");
    const kind = KINDS[view.getUint8(at)];
    const row = view.getFloat64(at + 1, true);
    const model = view.getUint32(at + 9, true);
    if (model > MOST_UNITS) throw corrupt("bits of a model are out of range");
    const length = view.getUint32(at + 13, true);
    at += HEAD;
    if (kind === undefined || !isWhole(row) || length > bytes.length - at) throw corrupt("an event is none");
    const own = bytes.slice(at, at + length);
    at += length;
    if (kind === "skip") events.push({ do: "skip", row });
    else if (kind === "label") {
      const lesson = json(own, "a label");
      if (!isLesson(lesson)) throw corrupt("a label is none");
      const { text, label, template } = lesson;
      events.push({ do: "label", row, lesson: { text, label, template } });
    } else if (kind === "bytes") events.push({ do: "row", row, input: own, model });
    else if (length % 4 === 0) events.push({ do: "row", row, input: new Float32Array(own.buffer), model });
    else throw corrupt("a row of numbers is cut");
  }
  return events;
}

function corrupt(what: string, cause?: unknown): SaffuError {
  return new SaffuError("MODEL_CORRUPT", `${FILE}: ${what}`, cause === undefined ? undefined : { cause });
}
