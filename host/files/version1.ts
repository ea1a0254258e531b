/**
 * Shapes as version 1 of config.json names them. Directories of that version are read, and the digest of a base is of these names, so that
 * what was learned over a base stays valid whatever the version of its directory.
 */
import { SaffuError, shown } from "../errors.ts";
import { type Shape, validateShape } from "../shape.ts";

const NAMES = {
  block: "window",
  heads: "groups",
  classes: "units",
  radial: "history",
  orders: "matchLength",
  blockAttention: "windowAttention",
  documentHeads: "documentGroups",
  stackedHeads: "secondGroups",
  stackedBlock: "secondWindow",
} as const;

const OLD_NAMES = new Map<string, string>(Object.entries(NAMES).map(([before, now]) => [now, before]));

/** In version 1 predictions were adapted, and the history was indexed, where it was longer than this. */
const ADAPTED_ABOVE = 256;
const INDEXED_ABOVE = 1024;

/**
 * The shape that version 1 means.
 *
 * @throws SaffuError INVALID_SHAPE, naming the field as version 1 has it; UNSUPPORTED for the mixture decoder, which is gone
 */
export function shapeOfVersion1(value: unknown): Shape {
  if (typeof value !== "object" || value === null) return validateShape(value);
  const { decoder = "softmax", ...given } = value as Record<string, unknown>;
  if (decoder === "mixture") {
    throw new SaffuError(
      "UNSUPPORTED",
      "the mixture decoder is gone: fit the model again, its decoder is then softmax",
    );
  }
  if (decoder !== "softmax") throw new SaffuError("INVALID_SHAPE", `decoder must be "softmax", got ${shown(decoder)}`);
  const named = Object.fromEntries(
    Object.entries(given).map(([name, field]) => [NAMES[name as keyof typeof NAMES] ?? name, field]),
  );
  const history = Number(named.history);
  try {
    return validateShape({ ...named, adapts: history > ADAPTED_ABOVE, indexed: history > INDEXED_ABOVE });
  } catch (error) {
    if (!(error instanceof SaffuError)) throw error;
    const message = error.message.replace(/[A-Za-z]+/g, (word) => OLD_NAMES.get(word) ?? word);
    throw new SaffuError(error.code, message, { cause: error });
  }
}

/** A shape in the names of version 1; what that version could not say stands beside them. */
export function shapeAsVersion1(shape: Shape): Record<string, unknown> {
  const { adapts = false, indexed = false, ...rest } = shape;
  return {
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [OLD_NAMES.get(name) ?? name, value])),
    decoder: "softmax",
    ...(adapts !== shape.history > ADAPTED_ABOVE && { adapts }),
    ...(indexed !== shape.history > INDEXED_ABOVE && { indexed }),
  };
}
