// Written by `npm run build` from the table in host/compile/layout.ts: change it there.
import {
  ATTENDED,
  CELLS,
  CIPHERED,
  CIPHER_WIDTH,
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
  POOL_SETS,
  POSITIONS_A_GROUP,
  REMEMBERS,
  ROWS_0,
  SHARES,
  V,
  WINDOW,
} from "../shape";

/** Places of one step at the most. */
export const BATCH: i32 = 2048;
/** Places that one thread works on at a time; a tile of probabilities, (V, TILE) f32, stays in cache. */
export const TILE: i32 = 64;
/** Threads at the most: each has a scratch of its own. */
export const THREADS: i32 = 16;
/** Places that the mixture is solved on at the most. */
export const MIXTURE_PLACES: i32 = 65536;
/** Candidates of a place, the token that came among them, and samples of them. */
export const CANDIDATES: i32 = 64;
export const SAMPLES: i32 = 32;
/** Places that a pool of candidates is laid for. */
export const POOL_PLACES: i32 = 65536;

/** What a fit or a tuning run is asked for; the host writes it. */
@unmanaged
export class Settings {
  places: i32; // training places: labels TOKENS[0..places)
  seed: u32; // names the order of the text, and the groups' first targets
  groupBatch: i32; // places of one step of the groups
  groupRate: f32; // of the averaging rate (step + 2)^-rate
  groupPseudoCounts: f32; // α
  labelCiphers: i32; // 1: targets are label ciphers, not responsibilities
  batch: i32; // places of one step of iterative scaling or tuning, at most BATCH
  lead: i32; // first step at which hidden layers move, too: the decoder finds its feet first
  rate: f32; // of the averaging rate (step + 2)^-rate
  decoderPseudoCounts: f32; // α of O
  hiddenPseudoCounts: f32; // α of U
  decoderStep: f32; // s of O
  hiddenStep: f32; // s of U; divided by the sharpness, as targets move by so much less
  decoderPrior: f32; // κ of O, in places; 0 for none
  hiddenPrior: f32; // κ of U
  sharpness: f32; // β of the hidden targets, above 0
  sampled: i32; // 1: predictions are estimated on candidates, not computed of all tokens
  followers: u32; // address of (places) u16, scratch of candidates
  end: i32; // the step after the last of this phase
  averageFrom: i32; // first step whose weights are averaged
  steps: i32; // tuning: steps of the whole run
  learningRate: f32; // tuning: at its peak
  warmUp: i32; // tuning: steps in which the rate rises to there
  rounds: i32; // tuning: 1 where each step sees what rounding to four bits leaves of U
  boundary: u32; // token that ends a piece of the text, and 1; 0 where the text is one piece
}

/** Where the first tensor stands. */
export const BASE: usize = 64;

// threads, settings, records
export const SYNC: usize = (BASE + 63) & ~63; // (2) i32: threads arrived, generation; a cache line of its own
export const SETTINGS: usize = (SYNC + 2 * 4 + 63) & ~63; // one Settings, written by the host
export const RECORDS: usize = (SETTINGS + 25 * 4 + 63) & ~63; // one Network, one Batch
export const CIPHER: usize = (RECORDS + 512 + 63) & ~63; // (V, k) u16
export const MARGINAL: usize = (CIPHER + CIPHERED * V * CIPHER_WIDTH * 2 + 63) & ~63; // (V) f32, π
export const POSITIONS: usize = (MARGINAL + V * 4 + 63) & ~63; // (H, positions) f32, weights of what each group reads

// weights; sums or gradients, then expected sums or first moments, then second moments stand behind them, each STRIDE further
export const U: usize = (POSITIONS + GROUPS * POSITIONS_A_GROUP * 4 + 63) & ~63; // the hidden layers' weights in f32, as layers/list.ts has them
export const U0: usize = U + HIDDEN_WEIGHTS * 4; // (M) f32
export const O: usize = U0 + M * 4; // (V, M) f32, or P of a group's own mixture
export const O0: usize = O + V * M * 4; // (V) f32
export const SECOND: usize = (O0 + V * 4 + 63) & ~63; // F and G, or the gradient
export const SECOND_U0: usize = SECOND + HIDDEN_WEIGHTS * 4;
export const SECOND_O: usize = SECOND_U0 + M * 4;
export const SECOND_O0: usize = SECOND_O + V * M * 4;
export const THIRD: usize = (SECOND_O0 + V * 4 + 63) & ~63; // F̂ and Ĝ, or the first moments
export const THIRD_U0: usize = THIRD + HIDDEN_WEIGHTS * 4;
export const THIRD_O: usize = THIRD_U0 + M * 4;
export const THIRD_O0: usize = THIRD_O + V * M * 4;
export const FOURTH: usize = (THIRD_O0 + V * 4 + 63) & ~63; // the second moments
export const FOURTH_U0: usize = FOURTH + HIDDEN_WEIGHTS * 4;
export const FOURTH_O: usize = FOURTH_U0 + M * 4;
export const FOURTH_O0: usize = FOURTH_O + V * M * 4;

// attention over positions
export const ATTENTION_SUMS: usize = (FOURTH_O0 + V * 4 + 63) & ~63; // (r, r) f64
export const ATTENTION_MEANS: usize = ATTENTION_SUMS + ATTENDED * WINDOW * WINDOW * 8; // (r) f64
export const PAIR_COUNTS: usize = (ATTENTION_MEANS + ATTENDED * WINDOW * 8 + 63) & ~63; // (r·b, V) f32
export const PAIR_TOTALS: usize = (PAIR_COUNTS + ATTENDED * ROWS_0 * V * 4 + 63) & ~63; // (r·b) f32

// one batch
export const LOSS: usize = (PAIR_TOTALS + ATTENDED * ROWS_0 * 4 + 63) & ~63; // f64, nats since the host last cleared it
export const PLACES: usize = (LOSS + 1 * 8 + 63) & ~63; // (BATCH) u32, places in TOKENS
export const LIKELIHOOD: usize = (PLACES + BATCH * 4 + 63) & ~63; // (BATCH) f32, of the token that came
export const BATCH_INPUTS: usize = (LIKELIHOOD + BATCH * 4 + 63) & ~63; // (BATCH, INPUTS) f32
export const HIDDEN: usize = (BATCH_INPUTS + BATCH * INPUTS * 4 + 63) & ~63; // (BATCH, M) f32
export const TARGETS: usize = (HIDDEN + BATCH * M * 4 + 63) & ~63; // (BATCH, M) f32: hidden targets, or gradients at the hidden layers' logits
export const EARLIER_DELTA: usize = (TARGETS + BATCH * M * 4 + 63) & ~63; // (BATCH, EARLIER) f32, gradients at those of the first layer at the places before
export const PREDICTED: usize = (EARLIER_DELTA + BATCH * EARLIER * 4 + 63) & ~63; // (BATCH / TILE, V, TILE) f32, ŷ, then ŷ − y in tuning

// scratch, one a thread
export const WORK: usize = (PREDICTED + BATCH * V * 4 + 63) & ~63; // one Work a thread
export const TRANSPOSED: usize = (WORK + THREADS * 512 + 63) & ~63; // (M, TILE) f32, a tile transposed
export const LANES: usize = (TRANSPOSED + THREADS * M * TILE * 4 + 63) & ~63; // (2, TILE) f32
export const ROWS: usize = (LANES + THREADS * 2 * TILE * 4 + 63) & ~63; // (4, M) f32
export const PLACE_INPUTS: usize = (ROWS + THREADS * 4 * M * 4 + 63) & ~63; // (INPUTS) f32
export const PLACE_SHARES: usize = (PLACE_INPUTS + THREADS * INPUTS * 4 + 63) & ~63; // (3, SHARES) f32, attention over an earlier place

// candidates of predictions, and weights averaged
export const FLAT: usize = (PLACE_SHARES + THREADS * ATTENDED * 3 * SHARES * 4 + 63) & ~63; // (V) f32, the flattened marginal
export const FOLLOWERS: usize = (FLAT + V * 4 + 63) & ~63; // (V, 2) u32: first token that follows each, and how many do
export const POOL: usize = (FOLLOWERS + V * 2 * 4 + 63) & ~63; // (V, 2) u32: first set of each token, and how many it has
export const PROPOSALS: usize = (POOL + V * 2 * 4 + 63) & ~63; // (2, V) f32 a thread: logarithms and odds of candidates
export const CANDIDATE_IDS: usize = (PROPOSALS + THREADS * 2 * V * 4 + 63) & ~63; // (sets, candidates) u16
export const CANDIDATE_BIASES: usize = (CANDIDATE_IDS + POOL_SETS * CANDIDATES * 2 + 63) & ~63; // (sets, candidates) f32
export const ESTIMATES: usize = (CANDIDATE_BIASES + POOL_SETS * CANDIDATES * 4 + 63) & ~63; // one Estimate a place
export const PLACE_CANDIDATES: usize = (ESTIMATES + BATCH * 35 * 8 + 63) & ~63; // (candidates) u16 a thread
export const PLACE_ODDS: usize = (PLACE_CANDIDATES + THREADS * CANDIDATES * 2 + 63) & ~63; // (2, candidates) f32 a thread: odds and sizes
export const PLACE_FIXED: usize = (PLACE_ODDS + THREADS * 2 * CANDIDATES * 4 + 63) & ~63; // (M) i16 a thread, a hidden state
export const O_FIXED: usize = (PLACE_FIXED + THREADS * M * 2 + 63) & ~63; // (V, M) i16, O in fixed point
export const AVERAGE_U: usize = (O_FIXED + V * M * 2 + 63) & ~63; // f64 sums of samples, laid out as U
export const AVERAGE_O: usize = (AVERAGE_U + HIDDEN_CELLS * 8 + 63) & ~63; // (V, M) f64, likewise

// the mixture
export const HISTORY_RECORD: usize = (AVERAGE_O + V * M * 8 + 63) & ~63; // one History; its tensors stand right behind it
export const RING: usize = HISTORY_RECORD + REMEMBERS * 16; // (R) u16
export const NEWEST: usize = RING + HISTORY * 2; // (V) u16, the newest place of each token; absent without an index, as the three that follow
export const TOKEN_LINKS: usize = NEWEST + INDEXED * V * 2; // (R) u16
export const PAIR_LINKS: usize = TOKEN_LINKS + INDEXED * HISTORY * 2; // (R) u16
export const PAIR_NEWEST: usize = PAIR_LINKS + INDEXED * HISTORY * 2; // (R / 4) u16
export const MATCHES_RECORD: usize = (PAIR_NEWEST + INDEXED * PAIRS * 2 + 63) & ~63; // one Matches; its tensors stand right behind it
export const MATCHES: usize = MATCHES_RECORD + REMEMBERS * 16; // (most matches) u32
export const TOTALS: usize = MATCHES + MOST_MATCHES * 4; // (match lengths) i32
export const DISTINCT: usize = TOTALS + MATCH_LENGTH * 4; // (match lengths) i32
export const SEEN: usize = DISTINCT + MATCH_LENGTH * 4; // (V) u8, zero between calls
export const MATCH_SUMS: usize = (SEEN + REMEMBERS * V + 63) & ~63; // (match lengths) f32
export const MIXTURE: usize = (MATCH_SUMS + MATCH_LENGTH * 4 + 63) & ~63; // (match lengths, buckets) f32
export const CHAIN: usize = MIXTURE + CELLS * 4; // (PARTS) f32
export const MIXTURE_SUMS: usize = (CHAIN + PARTS * 4 + 63) & ~63; // (2, match lengths, buckets) f32
export const MIXTURE_BUCKETS: usize = (MIXTURE_SUMS + 2 * CELLS * 4 + 63) & ~63; // (places, match lengths) u8
export const MIXTURE_LIKELIHOODS: usize = (MIXTURE_BUCKETS + MIXTURE_PLACES * MATCH_LENGTH + 63) & ~63; // (places, PARTS) f32

// weights of four bits: how they are rounded, and what rounding leaves
export const HISTOGRAM: usize = (MIXTURE_LIKELIHOODS + REMEMBERS * MIXTURE_PLACES * PARTS * 4 + 63) & ~63; // f64: bins, levels, and sums and weights of levels
export const DEPTHS: usize = (HISTOGRAM + CODED * 1072 * 8 + 63) & ~63; // (2, M) f32 a thread: depths of a row and their weights
export const ROUNDING: usize = (DEPTHS + CODED * THREADS * 2 * M * 4 + 63) & ~63; // a rounding table and the unit of its levels, a layer
export const ROUNDED: usize = (ROUNDING + CODED * LAYERS * 33 * 4 + 63) & ~63; // laid out as U: what the steps of tuning read

// the model as it is stored
export const CODES: usize = (ROUNDED + CODED * HIDDEN_WEIGHTS * 4 + 63) & ~63; // rows of U of all layers, of 8 bits a weight or codes of 4, each table where its cells begin
export const CODE_SCALES: usize = (CODES + HIDDEN_CELLS + 63) & ~63; // (rows) f32, layer after layer
export const CODE_LEVELS: usize = (CODE_SCALES + HIDDEN_ROWS * 4 + 63) & ~63; // (16) i8 a layer
export const O_INT8: usize = (CODE_LEVELS + CODED * LAYERS * 16 + 63) & ~63; // (V, M) i8
export const O_SCALE: usize = (O_INT8 + V * M + 63) & ~63; // (V) f32
export const TOKENS: usize = (O_SCALE + V * 4 + 63) & ~63; // (N) u16, to the memory's end
