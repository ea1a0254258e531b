/** Neural baselines, trained by baselines/neural.py in the lab's own virtual environment. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { inLab, inRoot } from "../../paths.ts";
import { type LoadedData, VOCABULARY } from "../data.ts";
import type { Job, Result } from "../job.ts";

const PROGRAM = "tools/lab/baselines/neural.py";
const PYTHON = inLab(".venv", process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
export const NEURAL_SOURCES = [PROGRAM, "tools/lab/baselines/requirements.txt", "tools/lab/evidence/kinds/neural.ts"];

/** What the program's last line says. */
interface Answer {
  readonly parameters: number;
  readonly seconds: number;
  readonly compileSeconds: number;
  readonly peakMemoryBytes: number;
  readonly devBits: number;
  readonly testBits: number;
}

/** Whether `npm run baselines --prefix tools/lab` has made the environment. */
export function neuralIsThere(): boolean {
  return existsSync(PYTHON);
}

/** `model`, `parameters` (to hit within 5 %), `rate`, `tied`, `dropout`. */
export async function neural({ seed, options }: Job, data: LoadedData): Promise<Result> {
  const { train, dev, test } = data;
  const files = { train, dev: dev.files, test: test.files };
  const answer = await answerOf({ ...options, ...files, seed, vocabulary: VOCABULARY });
  return {
    alone: { dev: answer.devBits / dev.bytes, test: answer.testBits / test.bytes },
    trainTokens: data.trainTokens,
    parameters: answer.parameters,
    bytes: answer.parameters,
    seconds: answer.seconds - answer.compileSeconds,
    compileSeconds: answer.compileSeconds,
    peakMemoryBytes: answer.peakMemoryBytes,
  };
}

/** Runs a job as neural.py describes it. @throws Error with what the program said of a job that it refuses */
export async function answerOf(job: object): Promise<Answer> {
  const child = spawn(PYTHON, [inRoot(PROGRAM)], { stdio: ["pipe", "pipe", "pipe"] });
  const stop = () => {
    child.kill();
    process.exit(143);
  };
  process.once("SIGTERM", stop);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  child.stdin.end(JSON.stringify(job));
  let output = "";
  for await (const chunk of child.stdout) output += chunk;
  process.off("SIGTERM", stop);
  const { result } = JSON.parse(output.trim().split("\n").at(-1) || "{}") as { result?: Answer };
  if (result === undefined) throw new Error(`${PROGRAM} ended without a result: ${said.trim().split("\n").at(-1)}`);
  return result;
}
