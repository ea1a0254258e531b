/** The steps of a tuning run: epochs, held-out bits after each, and checkpoints, over a solver that has its tokens and weights. */
import { sizesOf } from "../compile/sizes.ts";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { boundarySetting } from "../fit/settings.ts";
import type { Solver } from "../fit/solver.ts";
import type { Hooks } from "../fit/steps.ts";
import { evaluated } from "../fit/text.ts";
import type { Shape } from "../shape.ts";
import { type Run, type RunState, readCheckpoint, type Tables, writeCheckpoint } from "./checkpoint-node.ts";
import type { Schedule, TuneRecipe } from "./recipe.ts";

/** Held-out texts: tokens, with absent ones between texts, where they stand, and their bytes; no tokens where there are none. */
export interface HeldOut {
  readonly tokens: Uint16Array;
  readonly from: number;
  readonly bytes: number;
}

/** What a run works on. */
export interface Task {
  readonly solver: Solver;
  readonly recipe: TuneRecipe;
  /** Where weights have four bits, each step sees what rounding leaves of them. */
  readonly shape: Shape;
  readonly schedule: Schedule;
  /** Tokens trained on, from the first of the solver's. */
  readonly places: number;
  readonly dev: HeldOut;
  /** The token that ends a piece of the text, where it has some. */
  readonly newline: number | undefined;
  /** File and identity of the checkpoint. */
  readonly checkpoint?: { readonly path: string; readonly run: Run } | undefined;
}

/** What a run has come to. */
export type Outcome = Pick<RunState, "trainBits" | "devBits"> & { readonly bestEpoch: number };

/** Steps between two looks at the signal. Levels of four bits are chosen anew before each such call, so it is part of what a run is. */
const STEPS_A_CALL = 16;
/** Where the tables stand. */
const TABLES = { weights: "U", firstMoment: "THIRD", secondMoment: "FOURTH" } as const;

/**
 * Runs all steps, from the checkpoint on where there is one. The solver's weights are then those of the best epoch: by the held-out
 * bits, the start included; without a held-out text, the last.
 *
 * @throws SaffuError ABORTED, with the checkpoint written; CHECKPOINT_MISMATCH, MODEL_CORRUPT, UNWRITABLE
 */
export async function runEpochs(task: Task, hooks: Hooks<"tune" | "dev">): Promise<Outcome> {
  const { solver, recipe, shape, schedule, places, newline, checkpoint } = task;
  const { HIDDEN_CELLS, HIDDEN_WEIGHTS, M, V } = sizesOf(shape);
  const parameters = HIDDEN_WEIGHTS + M + V * M + V;
  const table = (address: string) => solver.view(Float32Array, address, parameters);
  const tables: Tables = {
    weights: table(TABLES.weights),
    firstMoment: table(TABLES.firstMoment),
    secondMoment: table(TABLES.secondMoment),
  };
  const state: RunState = { ...tables, step: 0, nats: 0, trainBits: [], devBits: [], best: undefined };
  if (checkpoint) {
    const found = await readCheckpoint(checkpoint.path, checkpoint.run, parameters);
    if (found) restore(state, found);
  }
  const nats = solver.view(Float64Array, "LOSS", 1);
  nats[0] = state.nats;
  const { steps, stepsPerEpoch, warmUp } = schedule;
  const { seed, batch, lr } = recipe;
  await solver.configure({
    places,
    seed,
    batch,
    steps,
    learningRate: lr,
    warmUp,
    rounds: shape.weightBits === 4 ? 1 : 0,
    boundary: boundarySetting(newline),
  });
  const save = async () => {
    if (checkpoint) await writeCheckpoint(checkpoint.path, checkpoint.run, state);
  };
  try {
    for (;;) {
      throwIfAborted(hooks.signal);
      if (state.step % stepsPerEpoch === 0) {
        // a warm start is what its codes say
        if (state.step > 0 || recipe.init !== "warm") await solver.once("roundRead");
        await endEpoch(task, state, nats, hooks);
        if (state.step > 0) await save();
        if (state.step === steps) break;
      }
      if (state.step === 0 && recipe.soften < 1) scale(tables.weights.subarray(0, HIDDEN_CELLS), recipe.soften);
      const epochEnd = state.step - (state.step % stepsPerEpoch) + stepsPerEpoch;
      const to = Math.min(epochEnd, state.step + STEPS_A_CALL);
      await solver.all("startRounding", "thread", "threads");
      await solver.all("tuneSteps", "thread", "threads", state.step, to);
      state.step = to;
      state.nats = nats[0]!;
      hooks.onProgress?.({ phase: "tune", done: to, total: steps });
    }
  } catch (cause) {
    if (cause instanceof SaffuError && cause.code === "ABORTED") await save();
    throw cause;
  }
  if (state.best) {
    tables.weights.set(state.best.weights);
    await solver.once("roundRead");
  }
  const { trainBits, devBits, best } = state;
  return { trainBits, devBits, bestEpoch: best?.epoch ?? recipe.epochs };
}

/** Each value times `by`, to the nearest f32. */
function scale(values: Float32Array, by: number): void {
  for (let i = 0; i < values.length; ++i) values[i]! *= by;
}

/** Puts what a checkpoint holds in the place of the start. */
function restore(state: RunState, found: RunState): void {
  for (const name of Object.keys(TABLES) as (keyof Tables)[]) state[name].set(found[name]);
  const { step, nats, trainBits, devBits, best } = found;
  state.trainBits.push(...trainBits);
  state.devBits.push(...devBits);
  Object.assign(state, { step, nats, best });
}

/** At the end of an epoch, and before the first: what the training tokens cost, then what the held-out text costs, where it is better. */
async function endEpoch(
  { solver, dev, places, schedule }: Task,
  state: RunState,
  nats: Float64Array,
  { signal, onProgress }: Hooks<"dev">,
): Promise<void> {
  const epoch = state.step / schedule.stepsPerEpoch;
  if (state.trainBits.length < epoch) {
    state.trainBits.push(nats[0]! / Math.LN2 / places);
    state.nats = 0;
  }
  nats[0] = 0;
  if (dev.tokens.length === 0 || state.devBits.length > epoch) return;
  let done = 0;
  for await (const scored of evaluated(solver, dev.tokens, dev.from, signal)) {
    await solver.once("addLoss", scored); // its own logarithm: which epoch is best must not depend on the engine's
    done += scored;
    onProgress?.({ phase: "dev", done, total: dev.tokens.length });
  }
  const bits = nats[0]! / Math.LN2 / dev.bytes;
  nats[0] = 0;
  if (state.devBits.every((before) => bits < before)) state.best = { epoch, weights: state.weights.slice() };
  state.devBits.push(bits);
}
