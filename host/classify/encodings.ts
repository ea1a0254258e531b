/** The encodings by kind, as config.json has them. */
import { SaffuError } from "../errors.ts";
import type { Encoder } from "./encoding.ts";
import { featuresEncoder } from "./features.ts";
import { imageEncoder } from "./image.ts";
import { KINDS, type Kind } from "./layout.ts";
import { linesEncoder } from "./lines.ts";
import { seriesEncoder } from "./series.ts";
import { tableEncoder } from "./table.ts";

// biome-ignore lint/suspicious/noExplicitAny: what a file says is checked by the encoder it names
const ENCODERS: Record<Kind, (spec: any, parameters: Uint8Array) => Encoder<any>> = {
  features: featuresEncoder,
  image: imageEncoder,
  series: seriesEncoder,
  table: tableEncoder,
  lines: linesEncoder,
};

/** The encoder that a classifier's config.json describes. @throws SaffuError MODEL_CORRUPT */
export function encoderOf(kind: unknown, spec: unknown, parameters: Uint8Array, file: string): Encoder<unknown> {
  if (!KINDS.includes(kind as Kind))
    throw new SaffuError("MODEL_CORRUPT", `${file}: no encoding is called ${String(kind)}`);
  try {
    const encoder = ENCODERS[kind as Kind](spec, parameters);
    const { features, most, inputBytes, tableBytes, numbers } = encoder.plan;
    const sound = [features, most, inputBytes, tableBytes, ...numbers].every(
      (n) => Number.isInteger(n) && n >= 0 && n < 2 ** 28,
    );
    if (!sound || features > 65536) throw new Error("a number of it is out of bounds");
    return encoder;
  } catch (cause) {
    throw new SaffuError("MODEL_CORRUPT", `${file}: the encoding is none: ${(cause as Error).message}`, { cause });
  }
}
