/** Weights into a solver's memory, and out of it as they are stored. */
import { sizesOf } from "../compile/sizes.ts";
import { dequantised } from "../files/dequantise.ts";
import type { Tensor } from "../files/safetensors.ts";
import { hiddenLayers, hiddenWidth, LEVELS, type Shape, tensorSpecs, withoutLong } from "../shape.ts";
import type { Solver } from "./solver.ts";

/** Where a hidden layer's f32 weights and stored rows stand in the solver: elements before them, in layer order (assembly/layers/list.ts). */
function placed(shape: Shape) {
  let cells = 0;
  let rows = 0;
  let column = 0;
  return hiddenLayers(shape).map((layer, index) => {
    const at = { ...layer, index, cells, firstRow: rows, column };
    cells += layer.rows * layer.width;
    rows += layer.rows;
    column += layer.width;
    return at;
  });
}

/** Bytes from U to W of attention: behind the tables of all layers. */
function attentionAt(shape: Shape): number {
  return 4 * sizesOf(shape).HIDDEN_CELLS;
}

/** Writes a model's weights into a solver: rows of U and O times their scales; biases, attention and the cipher as they are. */
export function loadWeights(solver: Solver, tensors: ReadonlyMap<string, Tensor>, shape: Shape): void {
  const put = (address: number, floats: Float32Array) => solver.view(Float32Array, address, floats.length).set(floats);
  const given = (name: string) => tensors.get(name)!.data as Float32Array;
  const u = solver.address("U");
  for (const { name, width, cells, column } of placed(shape)) {
    put(u + 4 * cells, dequantised(tensors, `${name}.U`, width));
    put(solver.address("U0") + 4 * column, given(`${name}.u0`));
  }
  if (shape.windowAttention) {
    put(u + attentionAt(shape), given("block.W"));
    put(u + attentionAt(shape) + 4 * shape.window ** 2, given("block.w0"));
  }
  put(solver.address("O"), dequantised(tensors, "decoder.O", hiddenWidth(shape)));
  put(solver.address("O0"), given("decoder.o0"));
  if (shape.bits === shape.vocabulary) return;
  const cipher = tensors.get("cipher")!.data as Uint16Array;
  solver.view(Uint16Array, "CIPHER", cipher.length).set(cipher);
}

/** The tensors of model.safetensors that a solver has, copied: all but those of the long matches. */
export function weightsOf(solver: Solver, shape: Shape): Map<string, Tensor> {
  const at = (name: string, offset = 0) => solver.address(name) + offset;
  const addresses: Record<string, number> = {
    cipher: at("CIPHER"),
    "block.W": at("U", attentionAt(shape)),
    "block.w0": at("U", attentionAt(shape) + 4 * shape.window ** 2),
    "decoder.O": at("O_INT8"),
    "decoder.O.scale": at("O_SCALE"),
    "decoder.o0": at("O0"),
    "attention.gate": at("MIXTURE"),
  };
  for (const { name, index, cells, firstRow, column } of placed(shape)) {
    addresses[`${name}.U`] = at("CODES", cells);
    addresses[`${name}.U.scale`] = at("CODE_SCALES", 4 * firstRow);
    addresses[`${name}.U.levels`] = at("CODE_LEVELS", LEVELS * index);
    addresses[`${name}.u0`] = at("U0", 4 * column);
  }
  const arrays = { I8: Int8Array, U8: Uint8Array, U16: Uint16Array, F32: Float32Array };
  return new Map(
    tensorSpecs(withoutLong(shape)).map(({ name, dtype, shape: dimensions }) => {
      const type = arrays[dtype as keyof typeof arrays];
      const length = dimensions.reduce((product, size) => product * size, 1);
      // copied first: a scale or a code may stand on no boundary of its own type
      const bytes = solver.view(Uint8Array, addresses[name]!, length * type.BYTES_PER_ELEMENT).slice();
      return [name, { dtype, shape: dimensions, data: new type(bytes.buffer) } as Tensor];
    }),
  );
}
