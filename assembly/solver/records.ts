// What the solver's own kernels are given, and where a thread keeps it.
import { Product } from "../common/product";
import { Ratio } from "../common/vectors";
import { Batch, Network, Outer, Place } from "../layers/records";
import { INPUTS, M, SHARES } from "../shape";
import { AdamStep } from "./adam";
import {
  BATCH_INPUTS,
  CANDIDATES,
  CIPHER,
  DEPTHS,
  EARLIER_DELTA,
  HIDDEN,
  LANES,
  MARGINAL,
  O,
  O0,
  PLACE_CANDIDATES,
  PLACE_FIXED,
  PLACE_INPUTS,
  PLACE_ODDS,
  PLACE_SHARES,
  PLACES,
  POSITIONS,
  PREDICTED,
  RECORDS,
  ROWS,
  SECOND,
  Settings,
  SETTINGS,
  TARGETS,
  TILE,
  TOKENS,
  TRANSPOSED,
  U,
  U0,
  WORK,
} from "./layout";

/** Bytes from a weight to its observed sum or gradient, from there to its expected sum or first moment, and to the second moment. */
export const STRIDE: usize = SECOND - U;

/** One step of iterative scaling, and the run of steps that are solved with it. */
@unmanaged
export class Step {
  keep: f32; // what sums so far are multiplied by at the run's first step, Π (1 − η)
  weight: f32; // of each place in the sums
  eta: f32; // Σ η of the run, the averaging rates
  begins: bool; // it is the run's first
  ends: bool; // it is the run's last
  order: u32; // names the order of the pass
  first: i32; // number of the batch's first place in it
  start: i32; // the run's first step
  end: i32; // the step after its last
  taken: i32; // samples of the weights so far
  samples: i32; // the same where this step gives one, else 0
}

const WORK_BYTES: usize = 512; // the last record ends at 500

/** What a thread works with: scratch of its own, and records at fixed distances behind this one. */
@unmanaged
export class Work {
  thread: i32;
  threads: i32;
  transposed: usize; // (M, TILE) f32
  lanes: usize; // (2, TILE) f32
  rows: usize; // (4, M) f32
  inputs: usize; // (INPUTS) f32
  shares: usize; // (3, SHARES) f32
  depths: usize; // (2, M) f32, of four bits alone
  candidates: usize; // (CANDIDATES) u16
  odds: usize; // (CANDIDATES) f32
  fixed: usize; // (M) i16, a hidden state

  // @ts-ignore: decorator
  @inline
  get place(): Place {
    return changetype<Place>(changetype<usize>(this) + 64);
  }
  // @ts-ignore: decorator
  @inline
  get product(): Product {
    return changetype<Product>(changetype<usize>(this) + 128);
  }
  // @ts-ignore: decorator
  @inline
  get outer(): Outer {
    return changetype<Outer>(changetype<usize>(this) + 192);
  }
  // @ts-ignore: decorator
  @inline
  get tile(): Batch {
    return changetype<Batch>(changetype<usize>(this) + 256);
  }
  /** The places of one step: what stands in it is shared, how many there are each thread counts for itself. */
  // @ts-ignore: decorator
  @inline
  get batch(): Batch {
    return changetype<Batch>(changetype<usize>(this) + 464);
  }
  // @ts-ignore: decorator
  @inline
  get ratio(): Ratio {
    return changetype<Ratio>(changetype<usize>(this) + 320);
  }
  // @ts-ignore: decorator
  @inline
  get step(): Step {
    return changetype<Step>(changetype<usize>(this) + 384);
  }
  // @ts-ignore: decorator
  @inline
  get adamStep(): AdamStep {
    return changetype<AdamStep>(changetype<usize>(this) + 448);
  }
}

/** The scratch of a thread. */
export function workOf(thread: i32, threads: i32): Work {
  const n = <usize>thread;
  const work = changetype<Work>(WORK + n * WORK_BYTES);
  work.thread = thread;
  work.threads = threads;
  work.transposed = TRANSPOSED + n * M * TILE * 4;
  work.lanes = LANES + n * 2 * TILE * 4;
  work.rows = ROWS + n * 4 * M * 4;
  work.inputs = PLACE_INPUTS + n * INPUTS * 4;
  work.shares = PLACE_SHARES + n * 3 * SHARES * 4;
  work.depths = DEPTHS + n * 2 * M * 4;
  work.candidates = PLACE_CANDIDATES + n * CANDIDATES * 2;
  work.odds = PLACE_ODDS + n * 2 * CANDIDATES * 4;
  work.fixed = PLACE_FIXED + n * M * 2;
  const batch = work.batch;
  batch.tokens = TOKENS;
  batch.places = PLACES;
  batch.inputs = BATCH_INPUTS;
  batch.hidden = HIDDEN;
  batch.targets = TARGETS;
  batch.earlier = EARLIER_DELTA;
  batch.predicted = PREDICTED;
  return work;
}

export const settings: Settings = changetype<Settings>(SETTINGS);
/** The weights that are solved for. */
export const network: Network = changetype<Network>(RECORDS);
/** The same as the steps of tuning read them: U, or what rounding leaves of it. */
export const readNetwork: Network = changetype<Network>(RECORDS + 64);
/** Puts addresses into the records that all threads share. The first call of all, by thread 0 alone. */
export function placeRecords(): void {
  network.cipher = CIPHER;
  network.hidden = U;
  network.biases = U0;
  network.decoder = O;
  network.decoderBias = O0;
  network.marginal = MARGINAL;
  network.positions = POSITIONS;
  memory.copy(changetype<usize>(readNetwork), changetype<usize>(network), offsetof<Network>());
}
