import { Correction } from "../../device/correction";
import {
  ATTENTION,
  BASE,
  CANDIDATES,
  CANDIDATES_RECORD,
  CIPHER,
  CONTEXT,
  CORRECTED_O,
  CORRECTED_O_SCALE,
  CORRECTION,
  DISTINCT,
  DOCUMENT,
  END,
  EXPECTED,
  FOLLOWERS,
  FOLLOWERS_RECORD,
  GENERATION,
  GENERATOR,
  HIDDEN,
  HIDDEN_FIXED,
  HIDDEN_SUM,
  HISTORY_RECORD,
  LAST_CANDIDATES,
  LENGTH_SUMS,
  LONG_RECORD,
  LONG_SUMS,
  LONG_TABLE,
  MARGINALS,
  MATCHES,
  MATCHES_RECORD,
  MEMORY_RECORD,
  MEMORY_TILE,
  MIXED,
  MIXTURE,
  MIXTURE_SUMS,
  NETWORK,
  NEWEST,
  NEXT_DOCUMENT,
  O,
  O0,
  OBSERVED,
  OBSERVED_TOKENS,
  O_SCALE,
  PAIR_LINKS,
  PAIR_NEWEST,
  PROBABILITIES,
  RECALLED,
  RECALLED_LENGTH,
  RECALLED_AT,
  RECENCY,
  RECENCY_VALUES,
  RING,
  SAMPLE_RECORD,
  SAMPLE_WEIGHTS,
  SEEN,
  STATE,
  STATES,
  TOKEN_LINKS,
  TOTALS,
  U0,
  U_0,
  U_0_LEVELS,
  U_0_SCALE,
  U_1,
  U_1_LEVELS,
  U_1_SCALE,
  U_2,
  U_2_LEVELS,
  U_2_SCALE,
  W,
  W0,
  WEIGHTS,
} from "../../device/layout";
import { SAMPLE_BYTES } from "../../device/sums";
import { LengthSums } from "../../history/followers";
import { HISTORY_BYTES } from "../../history/history";
import { MATCHES_BYTES } from "../../history/matches";
import { Memory } from "../../history/memory";
import {
  ADAPTS,
  ATTENDED,
  BAG_WIDTH,
  CELLS,
  CIPHER_WIDTH,
  CIPHERED,
  CODED,
  CONTEXT_TOKENS,
  FLASH,
  HISTORY,
  INDEXED,
  LAYERS,
  LEARNING,
  LENGTHS,
  LONG,
  LONG_CELLS,
  M,
  MATCH_LENGTH,
  MOST_LONG,
  MOST_MATCHES,
  PAIRS,
  RECALL,
  RECALLS,
  REMEMBERS,
  rowBytes,
  rowsOf,
  SHARES,
  STATES_READ,
  V,
  WIDTH_0,
  widthOf,
  WINDOW,
} from "../../shape";
import { follows, misaligned, overlapping, walk } from "../regions";

/** Bytes of the device's own State: three flags in a word, and five words. */
const STATE_BYTES: usize = 24;

function layer(number: i32, rows: usize, levels: usize, scales: usize): void {
  const has = number < LAYERS ? 1 : 0;
  follows(rows, rowsOf(number) * <i32>rowBytes(widthOf(number)), has);
  follows(levels, CODED * 16, has);
  follows(scales, rowsOf(number), 4 * has);
}

describe("the device's memory", () => {
  test("has no tensor that reaches into the next, each on a boundary of 16 bytes, and ends after the last", () => {
    walk(16, 16); // the null address stays free
    expect(BASE).toBe(16);
    follows(CIPHER, CIPHERED * V * CIPHER_WIDTH, 2);
    layer(0, U_0, U_0_LEVELS, U_0_SCALE);
    layer(1, U_1, U_1_LEVELS, U_1_SCALE);
    layer(2, U_2, U_2_LEVELS, U_2_SCALE);
    follows(U0, M, 4);
    follows(W, ATTENDED * WINDOW * WINDOW, 4);
    follows(W0, ATTENDED * WINDOW, 4);
    follows(O, V * M, 1);
    follows(O_SCALE, V, 4);
    follows(O0, V, 4);
    follows(LONG_TABLE, 2 * LONG_CELLS, 4);
    follows(MIXTURE, CELLS, 4);
    follows(STATE, <i32>STATE_BYTES, 1);
    follows(CONTEXT, CONTEXT_TOKENS, 2);
    follows(HISTORY_RECORD, REMEMBERS * 16, 1);
    follows(RING, HISTORY, 2);
    follows(NEWEST, INDEXED * V, 2, 2);
    follows(TOKEN_LINKS, INDEXED * HISTORY, 2, 2);
    follows(PAIR_LINKS, INDEXED * HISTORY, 2, 2);
    follows(PAIR_NEWEST, INDEXED * PAIRS, 2, 2);
    expect(PAIR_NEWEST + INDEXED * PAIRS * 2).toBe(HISTORY_RECORD + REMEMBERS * HISTORY_BYTES);
    follows(DOCUMENT, BAG_WIDTH, 4);
    follows(MIXTURE_SUMS, 2 * CELLS, 4);
    follows(LONG_RECORD, LONG * 16, 1);
    follows(LONG_SUMS, 4 * LONG_CELLS, 4);
    expect(LONG_SUMS).toBe(LONG_RECORD + LONG * 16, "they stand right behind their record");
    follows(MARGINALS, ADAPTS * 2 * V, 4);
    follows(RECENCY, ADAPTS * V, 4);
    if (ADAPTS != 0) expect(RECENCY_VALUES).toBe(RECENCY + V * 4, "one tensor of V + 4 to its kernel");
    follows(RECENCY_VALUES, ADAPTS * 4, 4);
    follows(GENERATOR, 4, 4);
    follows(NEXT_DOCUMENT, BAG_WIDTH, 4);
    follows(STATES, STATES_READ * WIDTH_0, 4);
    follows(ATTENTION, ATTENDED * 2 * SHARES, 4);
    follows(HIDDEN, M, 4);
    follows(HIDDEN_FIXED, M, 4);
    expect(HIDDEN_SUM).toBe(HIDDEN_FIXED + M * 4, "one tensor of M + 1 to the scalar build's decoder");
    follows(MIXED, 3 * MATCH_LENGTH, 4);
    follows(MATCHES_RECORD, REMEMBERS * 16, 1);
    follows(MATCHES, MOST_MATCHES, 4);
    follows(TOTALS, MATCH_LENGTH, 4, 4);
    follows(DISTINCT, MATCH_LENGTH, 4, 4);
    follows(SEEN, REMEMBERS * V, 1, 4);
    expect(SEEN + REMEMBERS * V).toBe(MATCHES_RECORD + REMEMBERS * MATCHES_BYTES);
    follows(CANDIDATES_RECORD, LONG * 16, 1);
    follows(CANDIDATES, MOST_LONG, 8);
    follows(LAST_CANDIDATES, LONG * 24, 1);
    expect(LAST_CANDIDATES).toBe(CANDIDATES_RECORD + LONG * 16 + MOST_LONG * 8);
    follows(FOLLOWERS_RECORD, LONG * 16, 1);
    follows(FOLLOWERS, MOST_LONG, 20);
    follows(LENGTH_SUMS, LENGTHS * <i32>offsetof<LengthSums>(), 1, 4);
    expect(LENGTH_SUMS).toBe(FOLLOWERS_RECORD + LONG * 16 + MOST_LONG * 20);
    follows(MEMORY_TILE, FLASH * LONG * 128, 1);
    follows(NETWORK, ADAPTS * V, 4);
    follows(WEIGHTS, V, 4);
    follows(PROBABILITIES, V, 4);
    follows(MEMORY_RECORD, LONG * <i32>offsetof<Memory>(), 1);
    follows(RECALLED, RECALL, 2);
    follows(RECALLED_LENGTH, 2, 4);
    expect(RECALLED_AT).toBe(RECALLED_LENGTH + RECALLS * 4);
    follows(SAMPLE_RECORD, LEARNING * 16, 1);
    follows(SAMPLE_WEIGHTS, LEARNING * M, 4);
    expect(SAMPLE_WEIGHTS + LEARNING * M * 4).toBe(SAMPLE_RECORD + LEARNING * SAMPLE_BYTES);
    follows(CORRECTION, LEARNING * <i32>offsetof<Correction>(), 1);
    follows(OBSERVED, LEARNING * V * M, 4);
    follows(EXPECTED, LEARNING * V * M, 4);
    follows(OBSERVED_TOKENS, LEARNING * 2, 4);
    expect(GENERATION).toBe(OBSERVED_TOKENS + LEARNING * 4);
    follows(CORRECTED_O, LEARNING * V * M, 1);
    follows(CORRECTED_O_SCALE, LEARNING * V, 4);
    follows(END, 0, 1);
    expect(overlapping).toBe(0);
    expect(misaligned).toBe(0);
  });
});
