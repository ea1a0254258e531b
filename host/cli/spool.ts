/** A text that can be read but once, kept to be read again: its first bytes in memory, the rest in a temporary file without a name. */
import { openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasonOf, unwritable } from "../files/directory-node.ts";
import { unused } from "../files/temporary-node.ts";

/** Bytes that are kept in memory. */
const MOST_KEPT = 1 << 24;
/** Bytes that are read from the file at once. */
const CHUNK = 1 << 18;

export class Spool {
  private readonly chunks: Uint8Array[] = [];
  private kept = 0;
  private file: number | undefined;
  private written = 0;

  /** @throws SaffuError UNWRITABLE, naming the folder of temporary files */
  add(chunk: Uint8Array): void {
    if (this.file === undefined && this.kept + chunk.length <= MOST_KEPT) {
      this.chunks.push(chunk);
      this.kept += chunk.length;
      return;
    }
    try {
      this.file ??= unnamedFile();
      for (let at = 0; at < chunk.length; ) at += writeSync(this.file, chunk, at, chunk.length - at, this.written + at);
    } catch (cause) {
      throw unwritable(tmpdir(), `a text is kept there to be read twice: ${reasonOf(cause)}`, cause);
    }
    this.written += chunk.length;
  }

  /** All that was added, in order. */
  *read(): Generator<Uint8Array> {
    yield* this.chunks;
    for (let at = 0; at < this.written; ) {
      const chunk = new Uint8Array(Math.min(CHUNK, this.written - at));
      const length = readSync(this.file!, chunk, 0, chunk.length, at);
      at += length;
      yield chunk.subarray(0, length);
    }
  }
}

/** A new file, whose name is taken away at once, so that it goes with the process however that ends. Windows does so at the exit. */
function unnamedFile(): number {
  const path = join(tmpdir(), `saffu-${unused()}.tmp`);
  const file = openSync(path, "wx+", 0o600);
  try {
    rmSync(path);
  } catch {
    process.on("exit", () => rmSync(path, { force: true }));
  }
  return file;
}
