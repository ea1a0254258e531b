/** The jobs that every peer is given, and how much of each is one round. */

export type JobName = "decode" | "write" | "write-cut" | "fit" | "learn" | "first";

export interface Job {
  readonly name: JobName;
  readonly title: string;
  /** What the figures are of, as a column's head. */
  readonly unit: string;
  /** CPU seconds of a round times this are in that unit. */
  readonly scale: number;
  /** What is done, for the page. */
  readonly what: string;
}

const SCORED = 2000;
const WRITTEN = 1000;
const LEARNED = 1000;

export const JOBS: readonly Job[] = [
  {
    ...{ name: "decode", title: "Score a token", unit: "CPU, µs a token", scale: 1e6 / SCORED },
    what: `The surprisal of each of ${SCORED.toLocaleString("en")} tokens of a book that the model has not seen, one after the other.`,
  },
  {
    ...{ name: "write", title: "Write at temperature 0.8", unit: "CPU, µs a token", scale: 1e6 / WRITTEN },
    what: `${WRITTEN.toLocaleString("en")} tokens, each drawn from all of the vocabulary. Runtimes that only give probabilities have a sampler written for them.`,
  },
  {
    ...{ name: "write-cut", title: "Write with top-k and top-p", unit: "CPU, µs a token", scale: 1e6 / WRITTEN },
    what: "The same with top-k 40 and top-p 0.95.",
  },
  {
    ...{ name: "fit", title: "Fit a text of 100,000 tokens", unit: "CPU, s", scale: 1 },
    what: "From the tokens to the weights of the same shape. Bits are of a book that is held out, by the network alone: what costs less is worth less where they are higher.",
  },
  {
    ...{ name: "learn", title: "Learn 1,000 tokens on the device", unit: "CPU, ms", scale: 1000 },
    what: "saffu adds them to its sums, from which they can be taken away again, and solves a correction when it is asked to. PyTorch takes one step of gradient descent over them.",
  },
  {
    ...{ name: "first", title: "Cold start", unit: "CPU, ms", scale: 1000 },
    what: "A process from its start to its first surprisal: runtime, model, one token.",
  },
];

/** Peers that npm does not bring, and what they do where they are. */
export const OPTIONAL: Readonly<Record<string, readonly JobName[]>> = {
  PyTorch: ["decode", "write", "write-cut", "fit", "learn", "first"],
  "C at 128 bits": ["decode", "write", "write-cut", "first"],
  KenLM: ["decode", "fit", "first"],
};

/** What is asked of a peer's process, by job. */
export const REQUESTS: Partial<Record<JobName, string>> = {
  decode: `decode ${SCORED}`,
  write: `write ${WRITTEN} 0.8 0 1`,
  "write-cut": `write ${WRITTEN} 0.8 40 0.95`,
  learn: `learn ${LEARNED}`,
};
