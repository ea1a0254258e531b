/**
 * Where the tables of a watch stand in the memory of its module: the one table of it. Sizes are data, so the host writes addresses into the plan
 * (assembly/watch/plan.ts), whose fields these are, in order. All that a watch remembers lies from the plan to `stateEnd`.
 */

/** Where the plan stands, and the number that it begins with. */
export const PLAN_AT = 64;
export const MAGIC = 0x31574653;

/** What a row is. */
export const KINDS = ["lines", "numbers", "symbols"] as const;
export type Kind = (typeof KINDS)[number];

/** Fields of the plan, each u32: settings, addresses among them; then what it remembers; then what it says of the last row. */
export const PLAN_FIELDS = [
  ...[
    "magic",
    "kind",
    "columns",
    "most",
    "words",
    "one",
    "warmUp",
    "guard",
    "delay",
    "gap",
    "kept",
    "period",
    "weight",
  ],
  ...["cells", "cellBits", "ring", "tree", "window", "seen", "at", "values", "past", "queue", "slot", "stateEnd"],
  ...["input", "found", "scratch", "end"],
  ...["begun", "rows", "before", "before2", "first", "waiting", "episodes", "open", "quiet"],
  ...["novelty", "newest"],
  ...["bits", "score", "rank", "ranked", "template", "parts"],
] as const;
export type PlanField = (typeof PLAN_FIELDS)[number];
export type Plan = Readonly<Record<PlanField, number>>;

/** Views of a column, and rows that are remembered for them; levels of scores; bytes of a word, of a view's head, of a slot's. */
const [VIEWS, PAST, LEVELS, WORD, VIEW, SLOT] = [4, 16, 4096, 12, 8, 8];

/** Sizes of a watch. */
export interface WatchShape {
  readonly kind: Kind;
  /** Of numbers. */
  readonly columns: number;
  /** Bytes of a line that are looked at, and words. */
  readonly most: number;
  readonly words: number;
  /** Counts: 2^cellBits cells of 8 bytes. */
  readonly cellBits: number;
  /** W: scores that a row is ranked among. */
  readonly window: number;
  /** A row in so many may be an alarm. */
  readonly one: number;
  readonly warmUp: number;
  /** Thousandths of the rows, the most surprising, that are held back, and rows until they are learned. */
  readonly guard: number;
  readonly delay: number;
  /** Rows without an alarm that end an episode. */
  readonly gap: number;
  /** Values of a column that others are compared with. */
  readonly kept: number;
  /** Rows until counts are halved. */
  readonly period: number;
  /** Thousandths: what a model's bits are multiplied by. */
  readonly weight: number;
}

/** Where everything stands, each at a multiple of 64 bytes: a bucket of counts is a cache line. */
export function planOf(shape: WatchShape): Plan {
  const { kind, most, words, cellBits, window, delay, kept } = shape;
  const columns = kind === "numbers" ? shape.columns : 0;
  const views = VIEWS * columns;
  const slot = SLOT + 4 * (kind === "numbers" ? views : kind === "symbols" ? 3 : 2 + words);
  let end = upTo(PLAN_AT + 4 * PLAN_FIELDS.length);
  const place = (bytes: number): number => {
    const at = end;
    end = upTo(end + bytes);
    return at;
  };
  const state = {
    ...{ cells: place(8 * 2 ** cellBits), ring: place(2 * window), tree: place(4 * (LEVELS + 1)) },
    ...{ values: place(views * (VIEW + 8 * kept)), past: place(4 * PAST * columns), queue: place(delay * slot) },
  };
  const stateEnd = end;
  const run = {
    input: place(kind === "numbers" ? 4 * columns : most + 3),
    found: place(kind === "numbers" ? 4 * (views + columns) : words * (WORD + 4)),
    scratch: place(slot),
  };
  const { one, warmUp, guard, gap, period, weight } = shape;
  const none = Object.fromEntries(PLAN_FIELDS.map((name) => [name, 0])) as Record<PlanField, number>;
  return {
    ...none,
    ...{ magic: MAGIC, kind: KINDS.indexOf(kind), columns, most, words, one, warmUp, guard, delay, gap, kept, period },
    ...{ weight, cellBits, window, ...state, ...run, slot, stateEnd, end },
  };
}

/** The plan's bytes. */
export function planBytes(plan: Plan): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * PLAN_FIELDS.length));
  for (const [i, name] of PLAN_FIELDS.entries()) view.setUint32(4 * i, plan[name], true);
  return new Uint8Array(view.buffer);
}

function upTo(bytes: number): number {
  return (bytes + 63) & ~63;
}
