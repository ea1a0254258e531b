// A model with random weights where the device's memory has its own, and a text.
import {
  CIPHER,
  CONTEXT,
  DOCUMENT,
  MIXTURE,
  NEXT_DOCUMENT,
  O,
  O_SCALE,
  O0,
  U0,
  U_0,
  U_0_SCALE,
  U_1,
  U_1_SCALE,
  U_2,
  U_2_SCALE,
  W,
  W0,
} from "../device/layout";
import { W0_AT, W_AT } from "../layers/list";
import { levelsOf, nextDocument } from "../layers/stored";
import {
  ATTENDED,
  BAG_LAYER,
  BAG_WIDTH,
  CELLS,
  CIPHERED,
  CONTEXT_TOKENS,
  firstWeightOf,
  LAYERS,
  M,
  rowBytes,
  rowsOf,
  V,
  WEIGHT_BITS,
  widthOf,
  WINDOW,
} from "../shape";
import { Dense } from "./dense";
import { below, copyOf, fill, fillCipher, get, startValues } from "./support";

/** Tokens of the text. */
export const LENGTH: i32 = 48;
export const TEXT = memory.data(48 * 2, 16);

export function storedAt(layer: i32): usize {
  return layer == 0 ? U_0 : layer == 1 ? U_1 : U_2;
}

export function scaleAt(layer: i32): usize {
  return layer == 0 ? U_0_SCALE : layer == 1 ? U_1_SCALE : U_2_SCALE;
}

/** A model as the host writes it, and a text; the context is empty. */
export function writeStoredModel(seed: u32): void {
  startValues(seed);
  if (CIPHERED != 0) fillCipher(CIPHER, V);
  for (let layer = 0; layer < LAYERS; ++layer) {
    const bytes = rowsOf(layer) * <i32>rowBytes(widthOf(layer));
    for (let i = 0; i < bytes; ++i) store<i8>(storedAt(layer) + i, <i8>(below(255) - 127));
    if (WEIGHT_BITS == 4) for (let i = 0; i < 16; ++i) store<i8>(levelsOf(layer) + i, <i8>(below(255) - 127));
    fill(scaleAt(layer), rowsOf(layer), 1e-4, 0.03);
  }
  fill(U0, M, -3, 0);
  if (ATTENDED != 0) {
    fill(W, WINDOW * WINDOW, -2, 2);
    fill(W0, WINDOW, -1, 0);
  }
  for (let i = 0; i < V * M; ++i) store<i8>(O + i, <i8>(below(255) - 127));
  for (let v = 0; v < V; ++v) store<i8>(O + v * M + (v % M), 127); // as quantised rows have it
  fill(O_SCALE, V, 1e-3, 0.02);
  fill(O0, V, -4, 0);
  fill(MIXTURE, CELLS, 0.1, 0.6);
  for (let i = 0; i < LENGTH; ++i) store<u16>(TEXT + (i << 1), <u16>below(V));
  memory.fill(CONTEXT, 0xff, CONTEXT_TOKENS * 2);
  memory.fill(DOCUMENT, 0, BAG_WIDTH * 4);
}

/** The context with one more token, as the device's `append` has it. */
export function extend(token: u32): void {
  if (BAG_LAYER > 0) {
    nextDocument(token);
    memory.copy(DOCUMENT, NEXT_DOCUMENT, BAG_WIDTH * 4);
  }
  for (let j = CONTEXT_TOKENS - 1; j > 0; --j) store<u16>(CONTEXT + (j << 1), load<u16>(CONTEXT + (j << 1) - 2));
  store<u16>(CONTEXT, <u16>token);
}

/** U[row, c] before its row's scale. */
export function weightAt(layer: i32, row: i32, c: i32): i32 {
  const at = storedAt(layer) + row * <i32>rowBytes(widthOf(layer));
  if (WEIGHT_BITS == 8) return <i32>load<i8>(at + c);
  const codes = <i32>load<u8>(at + c / 2);
  return <i32>load<i8>(levelsOf(layer) + (c % 2 == 0 ? codes % 16 : codes / 16));
}

/** The same model in f64. */
export function denseStored(): Dense {
  const out = new Dense(CIPHER, TEXT);
  out.reach = LENGTH;
  for (let layer = 0; layer < LAYERS; ++layer) {
    const width = widthOf(layer);
    for (let row = 0; row < rowsOf(layer); ++row) {
      for (let c = 0; c < width; ++c) {
        out.hidden[firstWeightOf(layer) + row * width + c] = get(scaleAt(layer), row) * <f64>weightAt(layer, row, c);
      }
    }
  }
  if (ATTENDED != 0) {
    for (let i = 0; i < WINDOW * WINDOW; ++i) out.hidden[<i32>(W_AT >> 2) + i] = get(W, i);
    for (let i = 0; i < WINDOW; ++i) out.hidden[<i32>(W0_AT >> 2) + i] = get(W0, i);
  }
  out.biases = copyOf(U0, M);
  for (let i = 0; i < V * M; ++i) out.decoder[i] = get(O_SCALE, i / M) * <f64>load<i8>(O + i);
  out.decoderBias = copyOf(O0, V);
  return out;
}
