// Drawing a token from a distribution: temperature, top-k, top-p, in that order (the field's usual one). A cut is found by narrowing
// an interval of the bit patterns of positive floats, which order as the floats do: a few scans, no sorting, no memory.
//
// The weights are a list. It begins as (V) f32 by id. Where weights are cut, what is left moves together, and in place of each run of
// them there is one word, a link: ~id of the weight behind it, negative as an integer, which no weight is. So the list stays in order of
// id, and so does every sum that decides what is drawn.
import { exp, exp4, log, log4, logOf, maxOfLanes, sumOfLanes } from "../common/math";
import { nextUniform } from "../common/random";
import { V } from "../shape";

/** A probability below the least normal number cannot be drawn. */
const LEAST: f32 = 1.1754944e-38;
/** Just above 1, the largest weight. */
const ABOVE_ONE: i32 = 0x3f800001;
/** Where a cut is looked for first, 2^-6, and how many scans interpolate. What is found depends on neither. */
const FIRST_LOOK: i32 = 0x3c800000;
const INTERPOLATED: i32 = 10;
/** The part of either by which sums of V weights in two orders differ at the most: V roundings in each, of 2^-24. */
const ORDER: f32 = <f32>V * 2.384185791015625e-7; // 2^-22

/** The likeliest token; the lowest id among equals. */
export function likeliest(probabilities: usize /* (V) f32 */): i32 {
  const end = probabilities + ((<usize>V) << 2);
  if (ASC_FEATURE_SIMD) {
    let top = v128.load32_splat(probabilities);
    for (let at = probabilities; at < end; at += 16) top = f32x4.pmax(top, v128.load(at));
    const peak = f32x4.splat(maxOfLanes(top));
    for (let at = probabilities; at < end; at += 16) {
      const mask = i32x4.bitmask(f32x4.eq(v128.load(at), peak));
      if (mask != 0) return <i32>((at - probabilities) >> 2) + ctz<i32>(mask);
    }
    return 0; // the first is no number
  }
  let best = probabilities;
  for (let at = probabilities + 4; at < end; at += 4) if (load<f32>(at) > load<f32>(best)) best = at;
  return <i32>((best - probabilities) >> 2);
}

/**
 * Draws a token.
 *
 * @param probabilities (V) f32: a prediction's, or what a host has written over it: weights, below 0 where a token may not be drawn
 * @param generator (4) u32
 * @param temperature ≥ 0, finite; 0 takes the likeliest
 * @param topK keeps the k likeliest; 0 keeps all
 * @param topP in (0, 1], keeps the fewest likeliest whose mass reaches topP; 1 keeps all
 * @param outList (V) f32 scratch: the list of weights, p^(1/temperature) relative to the largest
 * @returns the token, or -1 where an option is out of range
 */
export function draw(
  probabilities: usize,
  generator: usize,
  temperature: f32,
  topK: u32,
  topP: f32,
  outList: usize,
): i32 {
  if (!(temperature >= 0 && temperature < Infinity && topP > 0 && topP <= 1)) return -1;
  const best = likeliest(probabilities);
  if (temperature == 0) return best;
  let mass = weigh(probabilities, logOf(load<f32>(probabilities + (best << 2))), temperature, outList);
  let end = outList + ((<usize>V) << 2);
  if (topK > 0 && topK < <u32>V) {
    end = cut(outList, end, <f32>topK, false);
    mass = sumFrom(outList, end, 0, true);
  }
  if (topP < 1) {
    end = cut(outList, end, topP * mass, true);
    mass = sumFrom(outList, end, 0, true);
  }
  let left = nextUniform(generator) * mass;
  let drawn = best;
  let id = 0;
  for (let at = outList; at < end; at += 4) {
    const bits = load<i32>(at);
    if (bits < 0) {
      id = ~bits;
      continue;
    }
    if (bits != 0) {
      drawn = id;
      left -= reinterpret<f32>(bits);
      if (left < 0) break;
    }
    ++id;
  }
  return drawn;
}

/** outList (V) f32 ← p^(1/temperature) relative to the largest; returns their sum, in order of id. */
export function weigh(probabilities: usize, peak: f32, temperature: f32, outList: usize): f32 {
  const end = probabilities + ((<usize>V) << 2);
  let at = probabilities;
  let out = outList;
  let sum: f32 = 0;
  if (ASC_FEATURE_SIMD) {
    // two loops with few constants each, tested at their end: V8 then keeps the constants outside
    const peaks = f32x4.splat(peak);
    const by = f32x4.splat(temperature);
    do {
      const a = f32x4.div(f32x4.sub(log4(v128.load(at)), peaks), by);
      const b = f32x4.div(f32x4.sub(log4(v128.load(at, 16)), peaks), by);
      v128.store(out, a);
      v128.store(out, b, 16);
      at += 32;
      out += 32;
    } while (at < end);
    at = probabilities;
    out = outList;
    do {
      const weight = v128.and(exp4(v128.load(out)), f32x4.ge(v128.load(at), f32x4.splat(LEAST)));
      v128.store(out, weight);
      sum += f32x4.extract_lane(weight, 0);
      sum += f32x4.extract_lane(weight, 1);
      sum += f32x4.extract_lane(weight, 2);
      sum += f32x4.extract_lane(weight, 3);
      at += 16;
      out += 16;
    } while (at < end);
  } else {
    for (; at < end; at += 4, out += 4) {
      const p = load<f32>(at);
      const weight: f32 = p >= LEAST ? exp((log(p) - peak) / temperature) : 0;
      store<f32>(out, weight);
      sum += weight;
    }
  }
  return sum;
}

/**
 * Cuts all but the fewest largest weights whose number (or mass) reaches `wanted`; of equals, the lowest ids stay.
 *
 * @param end of the list, which is whole vectors
 * @returns its new end
 */
export function cut(list: usize, end: usize, wanted: f32, byMass: bool): usize {
  // `reached`, of the weights from `low` on, is enough; `above`, of those from `high` on, is not
  let low = 0;
  let reached: f32 = 0;
  let high = ABOVE_ONE;
  let above: f32 = 0;
  let middle = FIRST_LOOK;
  for (let scans = 0; ; ++scans) {
    let sum: f32 = 0; // of the weights from `middle` on
    let least = high - 1; // of them
    let most = low; // of the others
    if (ASC_FEATURE_SIMD) {
      const middles = i32x4.splat(middle);
      const own = i32x4.splat(byMass ? -1 : 0);
      const each = f32x4.splat(byMass ? 0 : 1);
      let sums = f32x4.splat(0);
      let leasts = i32x4.splat(least);
      let mosts = i32x4.splat(most);
      for (let at = list; at < end; at += 16) {
        const bits = v128.load(at);
        const below = i32x4.lt_s(bits, middles);
        sums = f32x4.add(sums, v128.andnot(v128.or(v128.and(bits, own), each), below));
        leasts = i32x4.min_u(leasts, v128.or(bits, below));
        mosts = i32x4.max_s(mosts, v128.and(bits, below));
      }
      sum = sumOfLanes(sums);
      for (let lane = 0; lane < 4; ++lane) {
        least = min(least, i32x4.extract_lane(leasts, 0));
        most = max(most, i32x4.extract_lane(mosts, 0));
        leasts = v128.shuffle<i32>(leasts, leasts, 1, 2, 3, 0);
        mosts = v128.shuffle<i32>(mosts, mosts, 1, 2, 3, 0);
      }
      // a mass is of another order here: where that may matter, it is taken in that of ids
      if (byMass && abs<f32>(sum - wanted) <= wanted * ORDER) sum = sumFrom(list, end, middle, true);
    } else {
      for (let at = list; at < end; at += 4) {
        const bits = load<i32>(at);
        if (bits >= middle) {
          sum += byMass ? reinterpret<f32>(bits) : 1;
          least = min(least, bits);
        } else most = max(most, bits);
      }
    }
    if (sum >= wanted) {
      low = least;
      reached = sum;
      if (!ASC_FEATURE_SIMD) end = keep(list, end, low, Infinity, true);
      if (!byMass && sum == wanted) break;
    } else {
      high = most + 1;
      above = sum;
    }
    if (high - low == 1) break;
    middle =
      low > 0 && scans < INTERPOLATED
        ? max(low + 1, min(high - 1, low + <i32>(<f32>(high - low) * ((reached - wanted) / (reached - above)))))
        : (low + high) >> 1;
  }
  if (ASC_FEATURE_SIMD) end = keep(list, end, low, Infinity, true);
  if (!byMass && reached == wanted) return end;
  return keep(list, end, low, wanted - sumFrom(list, end, low + 1, byMass), byMass);
}

/**
 * Cuts the weights below `least` from the list, and of those that equal it all that come when there is no room left.
 *
 * @returns the list's new end; links fill up its last vector
 */
function keep(list: usize, end: usize, least: i32, room: f32, byMass: bool): usize {
  let before = 0; // the weight at index i has the id before + i
  let next = 0; // the id that needs no link
  let out = list;
  for (let block = list; block < end; block += ASC_FEATURE_SIMD ? 16 : 4) {
    let mask: i32; // of what is a link, or large enough
    if (ASC_FEATURE_SIMD) {
      const bits = v128.load(block);
      mask = i32x4.bitmask(v128.or(bits, i32x4.ge_s(bits, i32x4.splat(least))));
    } else {
      const bits = load<i32>(block);
      mask = i32(bits < 0) | i32(bits >= least);
    }
    for (; mask != 0; mask &= mask - 1) {
      const at = ASC_FEATURE_SIMD ? block + (<usize>ctz<i32>(mask) << 2) : block;
      const index = <i32>((at - list) >> 2);
      const bits = load<i32>(at);
      if (bits < 0) {
        before = ~bits - index - 1;
        continue;
      }
      if (bits == least) {
        if (!(room > 0)) continue;
        room -= byMass ? reinterpret<f32>(bits) : 1;
      }
      const id = before + index;
      if (id != next) {
        store<i32>(out, ~id);
        out += 4;
      }
      store<i32>(out, bits);
      out += 4;
      next = id + 1;
    }
  }
  if (ASC_FEATURE_SIMD) for (; (out & 15) != 0; out += 4) store<i32>(out, -1);
  return out;
}

/** Mass (or number) of the listed weights from `threshold` on, a bit pattern, in order of id. */
export function sumFrom(list: usize, end: usize, threshold: i32, byMass: bool): f32 {
  let sum: f32 = 0;
  for (; list < end; list += 4) if (load<i32>(list) >= threshold) sum += byMass ? load<f32>(list) : 1;
  return sum;
}
