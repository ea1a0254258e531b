// A classifier on the device: encodes what is at `input`, scores it, observes, forgets, merges and refits. Nothing is imported, nothing is
// allocated, memory has a fixed size. Every entry answers a number of 0 or above, or an error of plan.ts.
import { mergeSums } from "../common/sums";
import { MOST_HIDDEN, readHidden, STATE_UNIT } from "./hidden";
import { beginImage, encodeImage, imageTableBytes } from "./image";
import { encodeLine } from "./lines";
import {
  COUNTS,
  FEATURES,
  FULL,
  IMAGE,
  LINES,
  MAGIC,
  NO_SUMS,
  NONE,
  NOT_BEGUN,
  OUT_OF_RANGE,
  plan,
  Plan,
  PLAN,
  RIDGE,
  rowBytes,
  SERIES,
  STEP,
  TABLE,
  TOO_LONG,
} from "./plan";
import { refitAll } from "./refit";
import { inRange } from "./rows";
import { isReadable, score } from "./scores";
import {
  beginSeries,
  dilationsOf,
  encodeSeries,
  levelsOf,
  partsOf,
  segmentsOf,
  seriesParameterBytes,
  seriesTableBytes,
  timesOf,
} from "./series";
import { addExample, triangle } from "./sums";
import { encodeTable, LEVELS } from "./table";

/** Where the host writes the plan. */
export const PLAN_AT: usize = PLAN;

/** Checks the plan, and makes the encoding's tables. @returns 0, or OUT_OF_RANGE where the plan is none of a classifier that fits its memory */
export function begin(): i32 {
  const p = plan();
  p.begun = 0;
  if (!isSound(p)) return OUT_OF_RANGE;
  if (p.kind == IMAGE) beginImage(p);
  if (p.kind == SERIES) beginSeries(p);
  p.count = 0;
  p.begun = MAGIC;
  return 0;
}

/** Where what is to be classified stands, or the ids of its features. */
export function input(): i32 {
  return <i32>(plan().kind == FEATURES ? plan().codes : plan().input);
}

/** Where the probabilities of the last classification stand, (C) f32. */
export function probabilities(): i32 {
  return <i32>plan().probabilities;
}

/** Puts four bytes into the input, from byte `at` on, for hosts that do not reach memory. @returns 0; OUT_OF_RANGE beyond its end */
export function put(at: i32, word: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  const bytes = p.kind == FEATURES ? p.codedMost << 1 : p.inputBytes;
  if (<u64>(<u32>at) + 4 > <u64>bytes) return OUT_OF_RANGE;
  store<i32>(<usize>input() + <usize>at, word);
  return 0;
}

/** FNV-1a of 32 bits of the last probabilities (0), of the sums (1), or of what the last refit solved (2): to compare devices by. */
export function checksum(part: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  const classes = p.classes << 2;
  if (part == 0) return hashed(FNV, p.probabilities, classes);
  if (p.form == NONE) return NO_SUMS;
  if (part == 1) return hashed(FNV, p.sums, p.cells << 2);
  return hashed(hashed(hashed(FNV, p.liveBias, classes), p.liveScales, classes), p.live, p.features * p.classes);
}

const FNV: i32 = 0x811c9dc5;

function hashed(hash: i32, at: usize, bytes: usize): i32 {
  for (const end = at + bytes; at < end; ++at) hash = (hash ^ <i32>load<u8>(at)) * 0x01000193;
  return hash;
}

/** Encodes what is at `input`; of features, `features` says how many there are. @returns active features, or states of the hidden layer */
export function encode(features: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  p.count = 0;
  let count: i32 = 0;
  if (p.kind == IMAGE) count = encodeImage(p);
  else if (p.kind == SERIES) count = encodeSeries(p);
  else if (p.kind == TABLE) count = encodeTable(p);
  else if (p.kind == LINES) count = encodeLine(p);
  else count = <u32>features > p.codedMost ? TOO_LONG : features;
  if (count >= 0 && p.groups > 0) count = readHidden(p, count);
  else if (p.kind == FEATURES && count > 0 && !inRange(<usize>p.codes, p.unit > 1 ? <usize>p.codeValues : 0, count, p.coded)) return OUT_OF_RANGE;
  if (count > 0) p.count = count;
  return count;
}

/** Scores what was encoded. @returns the class */
export function predict(): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  return score(p, p.corrected != 0);
}

/** Encodes and scores. @returns the class */
export function classify(features: i32): i32 {
  const found = encode(features);
  return found < 0 ? found : predict();
}

/** Adds what was encoded to the sums, as of class `label`. @returns 1; FULL where a sum is at its capacity, with nothing changed */
export function observe(label: i32): i32 {
  return learn(label, 1);
}

/** Takes it away again. @returns 1; FULL where it was never observed */
export function forget(label: i32): i32 {
  return learn(label, -1);
}

function learn(label: i32, add: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (p.form == NONE) return NO_SUMS;
  if (<u32>label >= p.classes || !isReadable(p)) return OUT_OF_RANGE;
  return addExample(p, label, add) ? 1 : FULL;
}

/**
 * Adds `n` sums of another device, staged at plan.staged, to those from cell `at` on, or takes them away. Without `commit` it only looks.
 *
 * @returns 1; FULL where one would leave 0..2^32 − 1, with none changed
 */
export function merge(at: i32, n: i32, add: i32, commit: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (p.form == NONE) return NO_SUMS;
  if (<u32>n > p.stagedCells || <u32>at > p.cells || <u32>n > p.cells - <u32>at) return OUT_OF_RANGE;
  const to = <usize>p.sums + (<usize>at << 2);
  return mergeSums(<usize>p.staged, n, add < 0 ? -1 : 1, to, commit != 0) ? 1 : FULL;
}

/** Solves rows from the sums, as the plan says, and predicts with them from now on. @returns 1 */
export function refit(): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (p.form == NONE) return NO_SUMS;
  if (!(p.pseudoCounts > 0 && p.pseudoCounts < 1e9 && abs<f32>(p.step) < 1e9)) return OUT_OF_RANGE;
  refitAll(p);
  p.corrected = 1;
  return 1;
}

/** Predicts with what the last refit solved (1), or with the base (0). @returns 0 */
export function correct(on: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (p.form == NONE && on != 0) return NO_SUMS;
  p.corrected = i32(on != 0);
  return 0;
}

/** Whether every tensor of the plan stands in memory, behind the plan, and the encoding's numbers are within bounds. */
function isSound(p: Plan): bool {
  if (p.magic != MAGIC || p.kind > LINES || p.form > RIDGE) return false;
  if (p.features < 1 || p.features > 65536 || p.classes < 2 || p.classes > 256) return false;
  if (p.stride != ((p.classes + 3) & ~3) || (p.bits != 8 && p.bits != 4)) return false;
  if (p.most < 1 || p.most > 65536 || p.unit < 1 || p.unit > 65535) return false;
  const stride = <u64>p.stride << 2;
  const cells = <u64>p.features * <u64>p.classes;
  let sound = isLayered(p) && fits(p.ids, <u64>p.most << 1, p) && fits(p.scores, stride, p) && fits(p.probabilities, stride, p);
  sound = sound && fits(p.bias, stride, p) && fits(p.scales, stride, p) && fits(p.prior, stride, p);
  sound = sound && fits(p.rows, <u64>p.features * <u64>rowBytes(p.classes, p.bits) + 16, p);
  if (p.unit > 1) sound = sound && fits(p.values, <u64>p.most << 1, p);
  if (p.corrected != 0 || p.form != NONE) {
    sound = sound && fits(p.liveBias, stride, p) && fits(p.liveScales, stride, p) && fits(p.live, cells + 16, p);
  }
  if (p.form != NONE) {
    const triangular = p.form == RIDGE ? <u64>triangle(<usize>p.features) : 0;
    const all = 1 + <u64>p.classes + cells + (p.form == STEP ? cells : triangular);
    const dense = p.form == RIDGE ? (<u64>p.features * (<u64>p.stride + 1) + triangular) << 3 : 0;
    sound = sound && p.features <= (p.form == RIDGE ? 2048 : 65536) && p.cells == <u32>all && fits(p.sums, all << 2, p);
    sound = sound && fits(p.staged, <u64>p.stagedCells << 2, p) && fits(p.scratch, dense + stride, p);
  }
  return sound && isEncodable(p);
}

// @ts-ignore: decorator
@inline
function fits(at: u32, bytes: u64, p: Plan): bool {
  return (at & 15) == 0 && <usize>at >= PLAN + offsetof<Plan>() && <u64>at + bytes <= <u64>p.end && <u64>p.end <= <u64>memory.size() << 16;
}

/** Whether the decoder reads what the encoding finds, or a hidden layer stands between them. */
function isLayered(p: Plan): bool {
  if (p.codedUnit < 1 || p.codedUnit > 65535 || (p.codedUnit > 1 && p.kind != FEATURES)) return false;
  if (p.groups == 0) {
    return p.coded == p.features && p.codedMost == p.most && p.codedUnit == p.unit && p.codes == p.ids && p.codeValues == p.values;
  }
  if (p.coded < 1 || p.coded > 65536 || p.codedMost < 1 || p.codedMost > 65536) return false;
  if (p.units < 4 || (p.units & 3) != 0 || p.features > MOST_HIDDEN || <u64>p.groups * <u64>p.units != <u64>p.features) return false;
  if (p.most < p.features || p.unit != STATE_UNIT || (p.hiddenBits != 8 && p.hiddenBits != 4)) return false;
  const states = <u64>p.features << 2;
  const table = <u64>p.coded * <u64>rowBytes(p.features, p.hiddenBits) + 16;
  if (p.codedUnit > 1 && !fits(p.codeValues, <u64>p.codedMost << 1, p)) return false;
  if (!fits(p.codes, <u64>p.codedMost << 1, p) || !fits(p.hiddenStates, states, p)) return false;
  return fits(p.hiddenBias, states, p) && fits(p.hiddenScales, states, p) && fits(p.hiddenRows, table, p);
}

/** Whether the encoding makes no more features than there are, and no more of them active. */
function isEncodable(p: Plan): bool {
  if (p.kind == FEATURES) return true;
  if (!fits(p.input, p.inputBytes, p)) return false;
  if (p.kind == IMAGE) {
    if (p.a > 64 || p.b > 64 || p.c < 2 || p.c > 8 || p.c > p.a || p.c > p.b || p.d < 1 || p.d > 8) return false;
    const regions = (p.e & 255) * (p.e >> 8);
    if (regions < 1 || regions > 256) return false;
    const patches = (p.a - p.c + 1) * (p.b - p.c + 1);
    const room = p.inputBytes >= p.a * p.b && p.codedMost >= patches && p.coded >= regions << p.d && p.f < 256;
    return room && fits(p.parameters, 16 + p.c * p.c * p.d, p) && fits(p.tables, imageTableBytes(p.c), p);
  }
  if (p.kind == SERIES) {
    if (p.a < 2 || p.a > 65536 || p.b < 1 || p.b > 256 || p.c < 2 || p.c > 16 || p.d < 1 || p.d > 8) return false;
    const segments = segmentsOf(p);
    const dilations = dilationsOf(p);
    if (segments < 1 || segments > 64 || dilations > 12 || partsOf(p) > 255 || levelsOf(p) > 64) return false;
    if (dilations > 0 && (p.c - 1) << (dilations - 1) >= p.a) return false;
    const levels = levelsOf(p) * partsOf(p);
    if (levels > 0 ? partsOf(p) > p.a || timesOf(p) < 1 : dilations < 1) return false;
    let active = <u64>levels * <u64>timesOf(p);
    for (let i: u32 = 0; i < dilations; ++i) active += <u64>(p.a - ((p.c - 1) << i));
    if (active * <u64>p.b > <u64>p.codedMost || p.coded < ((p.b * dilations * segments) << p.d) + p.b * levels) return false;
    const room = <u64>p.inputBytes >= (<u64>p.a * <u64>p.b) << 2;
    return room && fits(p.parameters, seriesParameterBytes(p), p) && fits(p.tables, seriesTableBytes(p.a, p.b), p);
  }
  if (p.kind == LINES) {
    if (p.b < 4 || p.b > 15 || p.c < 1 || p.c > 4096 || p.a > 65536) return false;
    return p.inputBytes >= p.a + 4 && p.codedMost > 2 * p.c && p.coded >= (<u32>1 << p.b) + 16;
  }
  return isTable(p);
}

function isTable(p: Plan): bool {
  if (p.a < 1 || p.a > 4096 || p.b > 8192 || p.c > 4096 || p.d < 1 || p.d > 12) return false;
  if (p.e < 3 * p.b || p.f < p.e || p.f > 1 << 20 || p.inputBytes < p.a << 2) return false;
  if (!fits(p.parameters, (<u64>p.f + 2 * <u64>p.c * <u64>p.d) << 2, p)) return false;
  let first: u64 = 0;
  let active: u64 = p.c;
  for (let i: usize = 0; i < <usize>p.b; ++i) {
    const binning = <usize>p.parameters + i * 12;
    const count = load<u32>(binning, 8) & ~LEVELS;
    if (load<u32>(binning) >= p.a || count > 4096 || <u64>load<u32>(binning, 4) + <u64>count > <u64>(p.f - p.e)) return false;
    first += count + 2;
    active += (load<u32>(binning, 8) & LEVELS) != 0 ? max<u32>(1, count) : 1;
  }
  if (active > <u64>p.codedMost) return false;
  for (let i: usize = 0; i < <usize>(p.c * p.d); ++i) {
    if (load<u32>(<usize>p.parameters + (<usize>p.f << 2) + (i << 3)) >= p.a) return false;
  }
  return first + (<u64>p.c << p.d) <= <u64>p.coded;
}
