import { BITS, CIPHER_WIDTH, GROUPS, M, UNITS, V } from "../../shape";
import { assignCipher, labelCiphers, nextSubset, rankTokens } from "../../solver/ciphers";
import { below, fillDistribution, get, id, mark, put, startValues, untouched } from "../support";

const CIPHER = memory.data(V * CIPHER_WIDTH * 2 + 16, 16);
const MARGINAL = memory.data(V * 4, 16);
const RANKED = memory.data(V * 4 + 16, 16);
const SUBSET = memory.data(64, 16);
const TARGETS = memory.data(V * M * 4 + 16, 16);
const OTHER = memory.data(V * M * 4, 16);

function ranked(rank: i32): i32 {
  return load<i32>(RANKED + ((<usize>rank) << 2));
}

/** How many tokens come before `token`: those likelier, and of equals those with a lower id. */
function rankOf(token: i32): i32 {
  let before = 0;
  for (let v = 0; v < V; ++v) {
    if (get(MARGINAL, v) > get(MARGINAL, token) || (get(MARGINAL, v) == get(MARGINAL, token) && v < token)) ++before;
  }
  return before;
}

/** Tokens that do not stand where their rank says. */
function misplaced(): i32 {
  let n = 0;
  for (let v = 0; v < V; ++v) if (ranked(rankOf(v)) != v) ++n;
  return n;
}

function rankAtRandom(seed: u32): void {
  startValues(seed);
  fillDistribution(MARGINAL, V);
  rankTokens(MARGINAL, RANKED);
}

/** n over k. */
function choose(n: i32, k: i32): i32 {
  let result = 1;
  for (let i = 0; i < k; ++i) result = (result * (n - i)) / (i + 1);
  return result;
}

/** Size of the subset that the token of a rank gets: n of them have one element, then n over 2 have two, and so on. */
function sizeOfRank(rank: i32, universe: i32): i32 {
  let size = 1;
  for (let last = universe; rank >= last; last += choose(universe, size)) ++size;
  return size;
}

/** A token's bits as a mask. */
function maskOf(token: i32): u64 {
  let mask: u64 = 0;
  for (let i = 0; i < CIPHER_WIDTH; ++i) {
    const bit = id(CIPHER, token * CIPHER_WIDTH + i);
    if (bit < BITS) mask |= (<u64>1) << bit;
  }
  return mask;
}

/** Units of a token's label in a group, as a mask. */
function labelOf(at: usize, token: i32, group: i32): u64 {
  let mask: u64 = 0;
  for (let c = 0; c < UNITS; ++c) if (get(at, token * M + group * UNITS + c) != 0) mask |= (<u64>1) << c;
  return mask;
}

describe("ranking", () => {
  test("puts the likeliest first", () => {
    for (let seed: u32 = 1; seed < 20; ++seed) {
      rankAtRandom(seed);
      expect(misplaced()).toBe(0, seed.toString());
    }
  });

  test("puts the lower id first among equals", () => {
    startValues(4);
    for (let round = 0; round < 20; ++round) {
      for (let v = 0; v < V; ++v) put(MARGINAL, v, <f64>below(3));
      rankTokens(MARGINAL, RANKED);
      expect(misplaced()).toBe(0, round.toString());
    }
  });

  test("ranks V tokens and no more", () => {
    mark(RANKED + V * 4, 16);
    rankAtRandom(5);
    expect(untouched(RANKED + V * 4, 16)).toBe(true);
  });
});

describe("subsets", () => {
  test("come by size, then in lexicographic order, each once, until all have come", () => {
    const universe = 6;
    let n = 0;
    let seen: u64 = 0;
    const last = new StaticArray<i32>(universe);
    for (let count = 0; count < 63; ++count) {
      mark(SUBSET + (n + 1) * 2, 16);
      const size = nextSubset(SUBSET, n, universe);
      expect(untouched(SUBSET + (n + 1) * 2, 16)).toBe(true);
      let mask = 0;
      for (let i = 0; i < size; ++i) {
        const bit = id(SUBSET, i);
        expect(bit).toBeLessThan(universe);
        if (i > 0) expect(bit).toBeGreaterThan(id(SUBSET, i - 1));
        mask |= 1 << bit;
      }
      expect(seen & ((<u64>1) << mask)).toBe(0, "once");
      seen |= (<u64>1) << mask;
      if (size == n) {
        let i = 0;
        while (i < size && id(SUBSET, i) == last[i]) ++i;
        expect(id(SUBSET, i)).toBeGreaterThan(last[i], "lexicographic order");
      } else expect(size).toBe(n + 1);
      n = size;
      for (let i = 0; i < size; ++i) last[i] = id(SUBSET, i);
    }
    // all 63, and the last is the whole
    expect(n).toBe(universe);
  });
});

if (BITS < V) {
  describe("the input cipher", () => {
    test("gives the likeliest tokens the fewest bits", () => {
      rankAtRandom(6);
      assignCipher(RANKED, SUBSET, CIPHER);
      for (let rank = 0; rank < V; ++rank) {
        expect(<i32>popcnt(maskOf(ranked(rank)))).toBe(sizeOfRank(rank, BITS), rank.toString());
      }
    });

    test("gives no two tokens the same bits", () => {
      rankAtRandom(7);
      assignCipher(RANKED, SUBSET, CIPHER);
      for (let v = 0; v < V; ++v) {
        for (let w = 0; w < v; ++w) expect(maskOf(v)).not.toBe(maskOf(w));
      }
    });

    test("gives the likeliest token the first bit, and pads rows with 0xffff to their end", () => {
      rankAtRandom(8);
      mark(CIPHER + V * CIPHER_WIDTH * 2, 16);
      assignCipher(RANKED, SUBSET, CIPHER);
      expect(id(CIPHER, ranked(0) * CIPHER_WIDTH)).toBe(0);
      for (let rank = 0; rank < V; ++rank) {
        for (let i = sizeOfRank(rank, BITS); i < CIPHER_WIDTH; ++i) {
          expect(id(CIPHER, ranked(rank) * CIPHER_WIDTH + i)).toBe(0xffff);
        }
      }
      expect(untouched(CIPHER + V * CIPHER_WIDTH * 2, 16)).toBe(true);
    });
  });
}

// labels of m units can name 2^m − 1 tokens
if (V < 1 << UNITS) {
  describe("label ciphers", () => {
    test("are a distribution over each group's units: equal parts of its bits", () => {
      rankAtRandom(9);
      mark(TARGETS + V * M * 4, 16);
      labelCiphers(RANKED, 3, SUBSET, TARGETS);
      let wrong = 0;
      for (let v = 0; v < V; ++v) {
        for (let group = 0; group < GROUPS; ++group) {
          const share = <f32>1 / <f32>popcnt(labelOf(TARGETS, v, group));
          for (let c = 0; c < UNITS; ++c) {
            const value = <f32>get(TARGETS, v * M + group * UNITS + c);
            if (value != 0 && value != share) ++wrong;
          }
        }
      }
      expect(wrong).toBe(0);
      expect(untouched(TARGETS + V * M * 4, 16)).toBe(true);
    });

    test("tell tokens apart in every group", () => {
      rankAtRandom(10);
      labelCiphers(RANKED, 3, SUBSET, TARGETS);
      for (let group = 0; group < GROUPS; ++group) {
        for (let v = 0; v < V; ++v) {
          expect(labelOf(TARGETS, v, group)).not.toBe(0);
          for (let w = 0; w < v; ++w) expect(labelOf(TARGETS, v, group)).not.toBe(labelOf(TARGETS, w, group));
        }
      }
    });

    test("follow the ranks in the first group", () => {
      rankAtRandom(11);
      labelCiphers(RANKED, 3, SUBSET, TARGETS);
      for (let rank = 0; rank < V; ++rank) {
        expect(<i32>popcnt(labelOf(TARGETS, ranked(rank), 0))).toBe(sizeOfRank(rank, UNITS));
      }
    });

    test("differ from group to group and from key to key, but for the first group", () => {
      rankAtRandom(12);
      labelCiphers(RANKED, 3, SUBSET, TARGETS);
      labelCiphers(RANKED, 4, SUBSET, OTHER);
      for (let group = 0; group < GROUPS; ++group) {
        let otherGroup = 0;
        let otherKey = 0;
        for (let v = 0; v < V; ++v) {
          if (labelOf(TARGETS, v, group) != labelOf(TARGETS, v, 0)) ++otherGroup;
          if (labelOf(TARGETS, v, group) != labelOf(OTHER, v, group)) ++otherKey;
        }
        // of V tokens a random order leaves one or two where they were
        if (group == 0) expect(otherKey).toBe(0);
        else expect(min(otherGroup, otherKey)).toBeGreaterThan(V / 2);
      }
    });
  });
}
