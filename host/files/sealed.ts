/**
 * Safetensors that carry a SHA-256 of themselves in their metadata, with that digest's own place zeroed: files that change more often than the
 * config.json beside them, which therefore does not list them.
 */
import { SaffuError } from "../errors.ts";
import { readTensors, type Tensor, type TensorFile, writeTensors } from "./safetensors.ts";
import { sha256 } from "./sha256.ts";

const NO_DIGEST = "0".repeat(64);

/** The bytes, the same for the same contents. @param file a name for messages */
export async function sealTensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string>,
  file: string,
): Promise<Uint8Array> {
  const unsigned = writeTensors(tensors, { ...metadata, sha256: NO_DIGEST });
  const digest = await sha256(unsigned);
  // from the bytes, not from `tensors`: who goes on learning may have changed those meanwhile
  return writeTensors(readTensors(unsigned, file).tensors, { ...metadata, sha256: digest });
}

/**
 * Reads them, all or nothing. What is handed on is a copy: it stays what was checked, whatever becomes of the caller's bytes.
 *
 * @param check refuses what is another format or version, by the metadata
 * @throws SaffuError MODEL_CORRUPT, MODEL_DIGEST, and what `check` throws
 */
export async function unsealTensors(
  given: Uint8Array,
  file: string,
  check: (metadata: TensorFile["metadata"]) => void,
): Promise<TensorFile> {
  const bytes = new Uint8Array(given);
  const { tensors, metadata } = readTensors(bytes, file);
  check(metadata);
  const { sha256: recorded = "" } = metadata;
  // what is read here is what writing it again would give, so nothing in the file is without a check
  const found = await sha256(writeTensors(tensors, { ...metadata, sha256: NO_DIGEST }));
  const again = writeTensors(tensors, metadata);
  if (found !== recorded || again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i])) {
    throw new SaffuError("MODEL_DIGEST", `${file}: sha256 is ${found}, the file records ${JSON.stringify(recorded)}`);
  }
  return { tensors, metadata };
}
