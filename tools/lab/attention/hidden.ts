/** The hidden state of a model's block and document heads, as test/oracle.ts has it, without rounding. */
import { dequantised } from "../../../host/files/dequantise.ts";
import type { Tensor } from "../../../host/files/safetensors.ts";
import type { Shape } from "../../../host/shape.ts";

export class HiddenState {
  /** (M) f32, after the tokens that were appended. */
  readonly state: Float32Array;
  readonly heads: number;
  private readonly blockU: Float32Array;
  private readonly documentU: Float32Array;
  private readonly bias: Float32Array;
  private readonly bag: Float32Array;
  private latest: number[] = [];

  constructor(
    private readonly tensors: ReadonlyMap<string, Tensor>,
    private readonly shape: Shape,
  ) {
    const { groups, units, documentGroups = 0 } = shape;
    this.heads = groups + documentGroups;
    this.bag = new Float32Array(documentGroups * units);
    this.blockU = dequantised(tensors, "block.U", groups * units);
    this.documentU = documentGroups > 0 ? dequantised(tensors, "document.U", this.bag.length) : this.bag;
    this.bias = Float32Array.of(...this.floats("block.u0"), ...(documentGroups > 0 ? this.floats("document.u0") : []));
    this.state = new Float32Array(this.bias.length);
    this.reset();
  }

  reset(): void {
    this.latest = [];
    this.bag.fill(0);
    this.update();
  }

  append(token: number): void {
    const { window, documentSpan: span = 1 } = this.shape;
    this.latest = [token, ...this.latest].slice(0, window);
    for (let c = 0; c < this.bag.length; ++c) this.bag[c]! *= 1 - 1 / span;
    this.addRows(this.documentU, 0, token, 1 / span, this.bag);
    this.update();
  }

  private update(): void {
    const { state, bag, shape } = this;
    const logits = state.subarray(0, state.length - bag.length); // of the block
    state.set(this.bias);
    const shares = this.shares();
    for (const [j, token] of this.latest.entries()) this.addRows(this.blockU, j, token, shares[j]!, logits);
    for (let c = 0; c < bag.length; ++c) state[logits.length + c]! += bag[c]!;
    for (let at = 0; at < state.length; at += shape.units) softmax(state.subarray(at, at + shape.units));
  }

  /** How often each position of the block is taken: r times its attention. */
  private shares(): ArrayLike<number> {
    const { window, windowAttention } = this.shape;
    if (!windowAttention) return new Array<number>(window).fill(1);
    const shares = Float32Array.from(this.floats("block.w0"));
    for (const [i, token] of this.latest.entries()) {
      const [a, b] = [this.bitsOf(this.latest[0]!), this.bitsOf(token)];
      const comparison = a.filter((bit) => b.includes(bit)).length / (a.length * b.length);
      for (let j = 0; j < window; ++j) shares[j]! += comparison * this.floats("block.W")[i * window + j]!;
    }
    softmax(shares);
    return shares.map((share) => share * window);
  }

  /** out += share · the rows that a token names at a position. */
  private addRows(u: Float32Array, position: number, token: number, share: number, out: Float32Array): void {
    const bits = this.bitsOf(token);
    for (const bit of bits) {
      const row = (position * this.shape.bits + bit) * out.length;
      for (let c = 0; c < out.length; ++c) out[c]! += (share / bits.length) * u[row + c]!;
    }
  }

  private bitsOf(token: number): number[] {
    const cipher = this.tensors.get("cipher");
    if (cipher === undefined) return [token];
    const row = cipher.data.subarray(token * cipher.shape[1]!, (token + 1) * cipher.shape[1]!) as Uint16Array;
    return [...row].filter((bit) => bit < this.shape.bits);
  }

  private floats(name: string): Float32Array {
    return this.tensors.get(name)!.data as Float32Array;
  }
}

function softmax(values: Float32Array): void {
  let [peak, sum] = [Number.NEGATIVE_INFINITY, 0];
  for (let i = 0; i < values.length; ++i) peak = Math.max(peak, values[i]!);
  for (let i = 0; i < values.length; ++i) {
    values[i] = Math.exp(values[i]! - peak);
    sum += values[i]!;
  }
  for (let i = 0; i < values.length; ++i) values[i]! /= sum;
}
