/**
 * A graph of ONNX operators while it is built, and its bytes: constants and nodes are added in the order in which they are computed, and each
 * call gives the name of what it adds.
 *
 * ```ts
 * const graph = new Graph();
 * const x = graph.input("x", INT32, ["batch", 3]);
 * graph.node("Gather", [graph.constant([256, 8], table), x], { axis: 0 }, "y");
 * graph.output("y", FLOAT, ["batch", 3, 8]);
 * const bytes = graph.bytes("a table", {});
 * ```
 *
 * Field numbers are those of onnx.proto (onnx/onnx, IR version 7).
 */
import { integer, joined, nested, type Parts, text } from "./protobuf.ts";

/** Element types, by ONNX's numbers. */
export const FLOAT = 1;
export const INT32 = 6;
const INT64 = 7;

/** Version of the operators: the first in which Softmax has one axis and ReduceSum takes its axes as an input. */
export const OPSET = 13;
/** Version of the file format that came with it. */
const IR_VERSION = 7;
const INT = 2; // of an attribute

/** A size, or the name of one that a caller chooses. */
type Size = number | string;

export class Graph {
  private readonly nodes: Parts[] = [];
  private readonly constants: Parts[] = [];
  private readonly inputs: Parts[] = [];
  private readonly outputs: Parts[] = [];

  input(name: string, type: number, sizes: readonly Size[]): string {
    this.inputs.push(valueInfo(name, type, sizes));
    return name;
  }

  /** Says that the node `name` is seen outside. */
  output(name: string, type: number, sizes: readonly Size[]): void {
    this.outputs.push(valueInfo(name, type, sizes));
  }

  /** A tensor of the file; a scalar where `sizes` is empty. */
  constant(sizes: readonly number[], data: Float32Array | Int32Array | BigInt64Array): string {
    const name = `constant_${this.constants.length}`;
    const type = data instanceof Float32Array ? FLOAT : data instanceof Int32Array ? INT32 : INT64;
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.constants.push([
      ...sizes.flatMap((size) => integer(1, size)),
      ...integer(2, type),
      ...text(8, name),
      ...nested(9, [raw]),
    ]);
    return name;
  }

  /** Whole numbers as inputs of an operator: axes, a shape, places. */
  integers(...values: readonly number[]): string {
    return this.constant([values.length], BigInt64Array.from(values, BigInt));
  }

  /** Adds an operator with one output, which is called `name`. @param attributes whole numbers of 0 or more, by name */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, number>> = {},
    name = `${operator}_${this.nodes.length}`,
  ): string {
    const set = Object.entries(attributes).flatMap(([attribute, value]) =>
      nested(5, [...text(1, attribute), ...integer(3, value), ...integer(20, INT)]),
    );
    this.nodes.push([...inputs.flatMap((input) => text(1, input)), ...text(2, name), ...text(4, operator), ...set]);
    return name;
  }

  /** The file. @param metadata texts by name */
  bytes(description: string, metadata: Readonly<Record<string, string>>): Uint8Array {
    const repeated = (field: number, messages: readonly Parts[]) => messages.flatMap((each) => nested(field, each));
    const graph = [
      ...repeated(1, this.nodes),
      ...text(2, "network"),
      ...repeated(5, this.constants),
      ...repeated(11, this.inputs),
      ...repeated(12, this.outputs),
    ];
    return joined([
      ...integer(1, IR_VERSION),
      ...text(2, "saffu"),
      ...text(6, description),
      ...nested(7, graph),
      ...nested(8, [...text(1, ""), ...integer(2, OPSET)]),
      ...Object.entries(metadata).flatMap(([key, value]) => nested(14, [...text(1, key), ...text(2, value)])),
    ]);
  }
}

function valueInfo(name: string, type: number, sizes: readonly Size[]): Parts {
  const dimensions = sizes.flatMap((size) => nested(1, typeof size === "number" ? integer(1, size) : text(2, size)));
  return [...text(1, name), ...nested(2, nested(1, [...integer(1, type), ...nested(2, dimensions)]))];
}
