import { HISTORY_BYTES } from "../../history/history";
import { MATCHES_BYTES } from "../../history/matches";
import { Batch, Network, Outer, Place } from "../../layers/records";
import {
  ATTENDED,
  CELLS,
  CIPHER_WIDTH,
  CIPHERED,
  CODED,
  EARLIER,
  GROUPS,
  HIDDEN_CELLS,
  HIDDEN_ROWS,
  HIDDEN_WEIGHTS,
  HISTORY,
  INDEXED,
  INPUTS,
  LAYERS,
  M,
  MATCH_LENGTH,
  MOST_MATCHES,
  PAIRS,
  PARTS,
  POSITIONS_A_GROUP,
  ROWS_0,
  SHARES,
  V,
  WINDOW,
  REMEMBERS,
} from "../../shape";
import { AdamStep } from "../../solver/adam";
import { Pairs } from "../../solver/attention";
import { ROUNDING_BYTES } from "../../solver/codebook";
import {
  ATTENTION_MEANS,
  ATTENTION_SUMS,
  BATCH,
  BATCH_INPUTS,
  CHAIN,
  CIPHER,
  CODE_LEVELS,
  CODE_SCALES,
  CODES,
  DEPTHS,
  DISTINCT,
  EARLIER_DELTA,
  FOURTH,
  HIDDEN,
  HISTOGRAM,
  HISTORY_RECORD,
  MATCHES_RECORD,
  LANES,
  LIKELIHOOD,
  LOSS,
  MARGINAL,
  MATCH_SUMS,
  MATCHES,
  MIXTURE,
  MIXTURE_BUCKETS,
  MIXTURE_LIKELIHOODS,
  MIXTURE_PLACES,
  MIXTURE_SUMS,
  NEWEST,
  O,
  O_INT8,
  O_SCALE,
  O0,
  PAIR_COUNTS,
  PAIR_LINKS,
  PAIR_NEWEST,
  PAIR_TOTALS,
  PLACE_INPUTS,
  PLACE_SHARES,
  PLACES,
  POSITIONS,
  PREDICTED,
  RECORDS,
  RING,
  ROUNDED,
  ROUNDING,
  ROWS,
  SECOND,
  SEEN,
  Settings,
  SETTINGS,
  SYNC,
  TARGETS,
  THIRD,
  THREADS,
  TILE,
  TOKEN_LINKS,
  TOKENS,
  TOTALS,
  TRANSPOSED,
  U,
  U0,
  WORK,
} from "../../solver/layout";
import { network, placeRecords, readNetwork, Step, STRIDE, Work, workOf } from "../../solver/records";
import { Product } from "../../common/product";
import { Ratio } from "../../common/vectors";
import { follows, misaligned, overlapping, walk } from "../regions";

const WORK_BYTES = 512;

describe("the solver's memory", () => {
  test("has no region that reaches into the next, each on a boundary of 64 bytes or next to its kind, and tokens last", () => {
    walk(64, 64);
    follows(SYNC, 16, 4); // on a cache line of its own
    follows(SETTINGS, <i32>offsetof<Settings>(), 1);
    follows(RECORDS, 128 + <i32>offsetof<Pairs>(), 1);
    follows(CIPHER, CIPHERED * V * CIPHER_WIDTH, 2);
    follows(MARGINAL, V, 4);
    follows(POSITIONS, GROUPS * POSITIONS_A_GROUP, 4);
    for (let k: usize = 0; k < 4; ++k) {
      follows(U + k * STRIDE, HIDDEN_WEIGHTS, 4);
      follows(U0 + k * STRIDE, M, 4, 16);
      follows(O + k * STRIDE, V * M, 4, 16);
      follows(O0 + k * STRIDE, V, 4, 16);
    }
    expect(SECOND).toBe(U + STRIDE);
    expect(THIRD).toBe(U + 2 * STRIDE);
    expect(FOURTH).toBe(U + 3 * STRIDE);
    follows(ATTENTION_SUMS, ATTENDED * WINDOW * WINDOW, 8);
    follows(ATTENTION_MEANS, ATTENDED * WINDOW, 8, 8);
    follows(PAIR_COUNTS, ATTENDED * ROWS_0 * V, 4);
    follows(PAIR_TOTALS, ATTENDED * ROWS_0, 4);
    follows(LOSS, 1, 8);
    follows(PLACES, BATCH, 4);
    follows(LIKELIHOOD, BATCH, 4);
    follows(BATCH_INPUTS, BATCH * INPUTS, 4);
    follows(HIDDEN, BATCH * M, 4);
    follows(TARGETS, BATCH * M, 4);
    follows(EARLIER_DELTA, BATCH * EARLIER, 4);
    follows(PREDICTED, BATCH * V, 4);
    follows(WORK, THREADS * WORK_BYTES, 1);
    follows(TRANSPOSED, THREADS * M * TILE, 4);
    follows(LANES, THREADS * 2 * TILE, 4);
    follows(ROWS, THREADS * 4 * M, 4);
    follows(PLACE_INPUTS, THREADS * INPUTS, 4);
    follows(PLACE_SHARES, THREADS * ATTENDED * 3 * SHARES, 4);
    follows(HISTORY_RECORD, REMEMBERS * 16, 1);
    follows(RING, HISTORY, 2, 16);
    follows(NEWEST, INDEXED * V, 2, 2);
    follows(TOKEN_LINKS, INDEXED * HISTORY, 2, 2);
    follows(PAIR_LINKS, INDEXED * HISTORY, 2, 2);
    follows(PAIR_NEWEST, INDEXED * PAIRS, 2, 2);
    expect(PAIR_NEWEST + INDEXED * PAIRS * 2).toBe(HISTORY_RECORD + REMEMBERS * HISTORY_BYTES);
    follows(MATCHES_RECORD, REMEMBERS * 16, 1);
    follows(MATCHES, MOST_MATCHES, 4, 16);
    follows(TOTALS, MATCH_LENGTH, 4, 4);
    follows(DISTINCT, MATCH_LENGTH, 4, 4);
    follows(SEEN, REMEMBERS * V, 1, 4);
    expect(SEEN + REMEMBERS * V).toBe(MATCHES_RECORD + REMEMBERS * MATCHES_BYTES);
    follows(MATCH_SUMS, MATCH_LENGTH, 4);
    follows(MIXTURE, CELLS, 4);
    expect(CHAIN).toBe(MIXTURE + CELLS * 4, "scratch of its kernel, behind the table");
    follows(CHAIN, PARTS, 4, 4);
    follows(MIXTURE_SUMS, 2 * CELLS, 4);
    follows(MIXTURE_BUCKETS, MIXTURE_PLACES * MATCH_LENGTH, 1);
    follows(MIXTURE_LIKELIHOODS, MIXTURE_PLACES * PARTS, 4);
    follows(HISTOGRAM, CODED * (1024 + 3 * 16), 8);
    follows(DEPTHS, CODED * THREADS * 2 * M, 4);
    follows(ROUNDING, CODED * LAYERS * <i32>(ROUNDING_BYTES + 4), 1);
    follows(ROUNDED, CODED * HIDDEN_WEIGHTS, 4);
    follows(CODES, HIDDEN_CELLS, 1);
    follows(CODE_SCALES, HIDDEN_ROWS, 4);
    follows(CODE_LEVELS, CODED * LAYERS * 16, 1);
    follows(O_INT8, V * M, 1);
    follows(O_SCALE, V, 4);
    follows(TOKENS, 0, 2);
    expect(overlapping).toBe(0);
    expect(misaligned).toBe(0);
  });

  test("divides a batch into whole tiles of whole vectors", () => {
    expect(BATCH % TILE).toBe(0);
    expect(TILE % 8).toBe(0);
  });

  test("has a thread's records one after another, and the next thread's behind them", () => {
    const work = workOf(1, 3);
    const at = changetype<usize>(work);
    expect(at).toBe(WORK + WORK_BYTES);
    walk(at, 4);
    follows(at, <i32>offsetof<Work>(), 1);
    follows(changetype<usize>(work.place), <i32>offsetof<Place>(), 1);
    follows(changetype<usize>(work.product), <i32>offsetof<Product>(), 1);
    follows(changetype<usize>(work.outer), <i32>offsetof<Outer>(), 1);
    follows(changetype<usize>(work.tile), <i32>offsetof<Batch>(), 1);
    follows(changetype<usize>(work.ratio), <i32>offsetof<Ratio>(), 1);
    follows(changetype<usize>(work.step), <i32>offsetof<Step>(), 1);
    follows(changetype<usize>(work.adamStep), <i32>offsetof<AdamStep>(), 1);
    follows(changetype<usize>(work.batch), <i32>offsetof<Batch>(), 1);
    follows(changetype<usize>(workOf(2, 3)), 0, 1);
    expect(overlapping).toBe(0);
    expect(misaligned).toBe(0);
    expect(<i32>offsetof<Network>()).toBeLessThanOrEqual(64);
    expect(changetype<usize>(readNetwork) - changetype<usize>(network)).toBeGreaterThanOrEqual(offsetof<Network>());
  });

  test("gives threads scratch of their own and one batch", () => {
    for (let thread = 1; thread < THREADS; ++thread) {
      const before = workOf(thread - 1, THREADS);
      const work = workOf(thread, THREADS);
      expect(work.thread).toBe(thread);
      expect(work.threads).toBe(THREADS);
      expect(work.transposed - before.transposed).toBe(M * TILE * 4);
      expect(work.lanes - before.lanes).toBe(2 * TILE * 4);
      expect(work.rows - before.rows).toBe(4 * M * 4);
      expect(work.inputs - before.inputs).toBe(INPUTS * 4);
      expect(work.shares - before.shares).toBe(3 * SHARES * 4);
      expect(work.depths - before.depths).toBe(2 * M * 4);
      expect(work.batch.predicted).toBe(PREDICTED);
      expect(work.batch.hidden).toBe(HIDDEN);
    }
    placeRecords();
    expect(network.hidden).toBe(U);
    expect(readNetwork.hidden).toBe(U);
    expect(readNetwork.positions).toBe(POSITIONS);
  });
});
