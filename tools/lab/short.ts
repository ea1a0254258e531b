/**
 * Fits to the first 5 to 50 kB of texts, beside compressors: `npm run short --prefix tools/lab -- FILE...` (minutes). Bits a byte of what follows,
 * by a model that has read the text it was fitted to, and by one that has not; of compressors, what the rest adds to the compressed text. So
 * the vocabulary's rule in docs/method.md was chosen, on some texts, and is reported, on others.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { type FitOptions, fit, load } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { bitsAByte, compressors, primed } from "./baselines/compressors.ts";

const SIZES = [5_000, 12_000, 25_000, 50_000];
/** Bytes that are scored: a quarter of the text, and at least so many. */
const LEAST_REST = 3_000;

const PROGRAMS = ["PPMd 6", "xz", "zstd", "gzip"];
const { installed } = compressors();

/** Bits a byte of `rest`, with and without the text before it, and what the fit took. */
async function fitted(text: Uint8Array, rest: Uint8Array, options: FitOptions): Promise<number[]> {
  const start = process.cpuUsage();
  const { files, report } = await fit(() => [text], { ...options, threads: 0, kernels: ["simd"] });
  const { user, system } = process.cpuUsage(start);
  const model = await load(files);
  const bits = (bytes: Uint8Array) => model.score(bytes).bits;
  const read = (bits(Buffer.concat([text, rest])) - bits(text)) / rest.length;
  return [report.shape.vocabulary, read, bits(rest) / rest.length, (user + system) / 1e6];
}

const ours = ["V", "has read it", "has not", "s"];
const headers = ["text", ...ours.map((name) => `${name}, rule`), ...ours.map((name) => `${name}, 1,024`)];
for (const size of SIZES) {
  const rows: number[][] = [];
  const names: string[] = [];
  for (const path of process.argv.slice(2)) {
    const bytes = readFileSync(path);
    const text = bytes.subarray(0, size);
    const rest = bytes.subarray(size, size + Math.max(LEAST_REST, size / 4));
    if (rest.length < LEAST_REST) continue; // the file is too short
    const rule = await fitted(text, rest, {});
    const all = await fitted(text, rest, { vocabulary: 1024 });
    const others = PROGRAMS.map((name) => {
      const compressor = installed[name];
      return compressor === undefined ? Number.NaN : bitsAByte(rest, primed(compressor, text, rest));
    });
    names.push(basename(path));
    rows.push([...rule, ...all, ...others]);
  }
  if (rows.length === 0) continue;
  const means = rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  const shown = [...rows, means].map((row, i) => [
    names[i] ?? "mean",
    ...row.map((value, column) => value.toFixed(column === 0 || column === 4 ? 0 : 3)),
  ]);
  console.log(`${size} bytes:\n\n${table([...headers, ...PROGRAMS], shown)}\n`);
}
