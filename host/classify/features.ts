/**
 * The caller's own features: ids below `features`, each with a value at or above 0 or none. Values are rounded to 1/16; what is not named has the
 * value 0. An id may come more than once.
 */
import { invalidOption, shown } from "../errors.ts";
import { bytesOf, type Encoder, type Encoding, invalidExample, lengthOf } from "./encoding.ts";

export interface FeaturesOptions {
  /** D, 1 to 65,536. */
  readonly features: number;
  /** Most ids of an example, 1 to 65,535. */
  readonly most: number;
  /** Whether features have values; default false: each that is named counts 1. */
  readonly values?: boolean | undefined;
}

export interface Features {
  readonly ids: ArrayLike<number>;
  readonly values?: ArrayLike<number> | undefined;
}

/** What a value of 1 is; values are u16. */
const UNIT = 16;
const MOST_VALUE = 65535 / UNIT;
/** Most of an example's values together. */
const MOST_TOTAL = (1 << 23) / UNIT;

/** @throws SaffuError INVALID_OPTION */
export function features(options: FeaturesOptions): Encoding<Features> {
  const encoder = featuresEncoder(options);
  const setting = {};
  return {
    kind: "features",
    packer: () => ({ pack: encoder.pack, asked: setting, settings: () => [setting], fit: () => encoder }),
  };
}

/** The encoder of a classifier's directory. @throws SaffuError INVALID_OPTION */
export function featuresEncoder({ features, most, values = false }: FeaturesOptions): Encoder<Features> {
  const whole = (name: string, value: unknown, most: number) => {
    if (!(Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most)) {
      throw invalidOption(name, `an integer in 1..${most}`, value);
    }
  };
  whole("features", features, 65536);
  whole("most", most, 65535);
  if (typeof values !== "boolean") throw invalidOption("values", "true or false", values);
  const bytes = values ? 4 : 2;
  return {
    kind: "features",
    spec: { features, most, values },
    plan: {
      ...{ kind: "features", features, most, unit: values ? UNIT : 1, numbers: [], parameters: new Uint8Array(0) },
      ...{ inputBytes: 0, tableBytes: 0 },
    },
    pack(input, row) {
      const { ids, values: given } = input ?? {};
      const many = lengthOf(ids);
      if (ids === undefined || many === undefined) throw invalidExample(row, "has no ids");
      if (many > most) throw invalidExample(row, `has ${many} ids, at most ${most} are read`);
      if (values !== (given !== undefined))
        throw invalidExample(row, values ? "has no values" : "has values, and this encoding has none");
      if (given !== undefined && lengthOf(given) !== many) {
        throw invalidExample(row, `has ${many} ids and ${lengthOf(given) ?? "no"} values`);
      }
      const out = new Uint16Array((many * bytes) / 2);
      let total = 0;
      for (let i = 0; i < many; ++i) {
        const id = ids[i]!;
        if (!(Number.isInteger(id) && id >= 0 && id < features)) {
          throw invalidExample(row, `id ${i} must be an integer in 0..${features - 1}, got ${shown(id)}`);
        }
        out[i] = id;
        if (given === undefined) continue;
        const value = given[i]!;
        if (!(typeof value === "number" && value >= 0 && value <= MOST_VALUE)) {
          throw invalidExample(row, `the value of id ${id} must be in 0..${MOST_VALUE}, got ${shown(value)}`);
        }
        out[many + i] = Math.round(value * UNIT);
        total += value;
      }
      if (total > MOST_TOTAL) throw invalidExample(row, `its values come to ${total}, at most ${MOST_TOTAL} are read`);
      return bytesOf(out);
    },
  };
}
