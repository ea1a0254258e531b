import { softmax } from "../../common/softmax";
import {
  ATTENTION,
  BASE,
  CIPHER,
  CONTEXT,
  DOCUMENT,
  HIDDEN,
  HIDDEN_FIXED,
  MIXTURE,
  NEXT_DOCUMENT,
  STATES,
  U0,
  U_0,
  U_0_SCALE,
  U_1,
  U_1_SCALE,
  U_2,
  U_2_SCALE,
  W,
  W0,
} from "../../device/layout";
import { KEEP, NEW } from "../../layers/bag";
import { W0_AT, W_AT } from "../../layers/list";
import { levelsOf, nextDocument, storedForward } from "../../layers/stored";
import {
  ABSENT,
  ATTENDED,
  BAG,
  BAG_LAYER,
  BAG_WIDTH,
  BITS,
  CIPHERED,
  columnOf,
  CONTEXT_TOKENS,
  firstWeightOf,
  LAYERS,
  M,
  readsOf,
  rowBytes,
  rowsOf,
  STATES as READS_STATES,
  UNITS,
  V,
  WEIGHT_BITS,
  widthOf,
  WINDOW,
} from "../../shape";
import { Dense, denseToken } from "../dense";
import {
  below,
  changed,
  copyOf,
  differing,
  fill,
  fillCipher,
  gap,
  get,
  id,
  mark,
  remember,
  ROUNDING,
  startValues,
  untouched,
} from "../support";

const N = 48;
const TEXT = memory.data(48 * 2, 16);
const LOGITS = memory.data(M * 4, 16);
const SPARE = memory.data(16384, 16);
/** Layers of layers, and a document that is carried along. */
const LAYERED: f64 = ROUNDING * 8;

function storedAt(layer: i32): usize {
  return layer == 0 ? U_0 : layer == 1 ? U_1 : U_2;
}

function scaleAt(layer: i32): usize {
  return layer == 0 ? U_0_SCALE : layer == 1 ? U_1_SCALE : U_2_SCALE;
}

/** A model as the host writes it, and a text; the context is empty. */
function writeStored(seed: u32): void {
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
  for (let i = 0; i < N; ++i) store<u16>(TEXT + (i << 1), <u16>below(V));
  memory.fill(CONTEXT, 0xff, CONTEXT_TOKENS * 2);
  memory.fill(DOCUMENT, 0, BAG_WIDTH * 4);
}

/** The context with one more token, as the device's `append` has it. */
function extend(token: u32): void {
  if (BAG_LAYER > 0) {
    nextDocument(token);
    memory.copy(DOCUMENT, NEXT_DOCUMENT, BAG_WIDTH * 4);
  }
  for (let j = CONTEXT_TOKENS - 1; j > 0; --j) store<u16>(CONTEXT + (j << 1), load<u16>(CONTEXT + (j << 1) - 2));
  store<u16>(CONTEXT, <u16>token);
}

/** U[row, c] before its row's scale. */
function weightAt(layer: i32, row: i32, c: i32): i32 {
  const at = storedAt(layer) + row * <i32>rowBytes(widthOf(layer));
  if (WEIGHT_BITS == 8) return <i32>load<i8>(at + c);
  const codes = <i32>load<u8>(at + c / 2);
  return <i32>load<i8>(levelsOf(layer) + (c % 2 == 0 ? codes % 16 : codes / 16));
}

/** The same model in f64. */
function dense(): Dense {
  const out = new Dense(CIPHER, TEXT);
  out.reach = N;
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
  return out;
}

function add(layer: i32, row: i32, by: f32, column: i32, out: StaticArray<f32>): void {
  for (let c = 0; c < widthOf(layer); ++c) out[column + c] += by * <f32>weightAt(layer, row, c);
}

function addToken(layer: i32, token: i32, position: i32, share: f32, column: i32, out: StaticArray<f32>): void {
  const x = denseToken(CIPHER, token);
  let bits = 0;
  for (let bit = 0; bit < BITS; ++bit) if (x[bit] > 0) ++bits;
  for (let bit = 0; bit < BITS; ++bit) {
    const row = position * BITS + bit;
    if (x[bit] > 0) add(layer, row, (share * <f32>get(scaleAt(layer), row)) / <f32>bits, column, out);
  }
}

/**
 * h in f32, row by row in the order of positions and bits: one product and one sum an element, each rounded. Shares of attention, the
 * document and earlier states are as the forward pass has left them.
 */
function pinned(): StaticArray<f32> {
  const out = new StaticArray<f32>(M);
  for (let c = 0; c < M; ++c) out[c] = <f32>get(U0, c);
  for (let j = 0; j < WINDOW; ++j) {
    const share: f32 = ATTENDED != 0 ? <f32>get(ATTENTION, j) : 1;
    if (id(CONTEXT, j) != <i32>ABSENT) addToken(0, id(CONTEXT, j), j, share, 0, out);
  }
  for (let layer = 1; layer < LAYERS; ++layer) {
    const column = columnOf(layer);
    if (readsOf(layer) == BAG) for (let c = 0; c < BAG_WIDTH; ++c) out[column + c] += <f32>get(DOCUMENT, c);
    if (readsOf(layer) != READS_STATES) continue;
    for (let row = 0; row < rowsOf(layer); ++row) {
      add(layer, row, <f32>get(scaleAt(layer), row) * <f32>get(STATES, row), column, out);
    }
  }
  for (let c = 0; c < M; ++c) store<f32>(LOGITS + (c << 2), out[c]);
  for (let c = 0; c < M; c += UNITS) softmax(LOGITS + (c << 2), UNITS);
  for (let c = 0; c < M; ++c) out[c] = <f32>get(LOGITS, c);
  return out;
}

describe("the stored forward pass", () => {
  test("is the dense network of the decoded weights, from the stream's start on", () => {
    writeStored(1);
    const model = dense();
    for (let at = 0; at < N; ++at) {
      expect(storedForward()).toBe(true);
      expect(gap(HIDDEN, model.states(at))).toBeLessThan(LAYERED, at.toString());
      extend(id(TEXT, at));
    }
  });

  test("reads every token's rows", () => {
    writeStored(2);
    const model = dense();
    for (let token = 0; token < V; ++token) {
      for (let i = 0; i < CONTEXT_TOKENS; ++i) {
        store<u16>(TEXT + (i << 1), <u16>((token + i * 7) % V));
        extend((token + i * 7) % V);
      }
      storedForward();
      for (let layer = 0; layer < LAYERS; ++layer) {
        if (readsOf(layer) == BAG) continue; // of all that came before
        expect(gap(HIDDEN + (columnOf(layer) << 2), model.state(layer, CONTEXT_TOKENS))).toBeLessThan(LAYERED, token.toString());
      }
    }
  });

  test("adds rows in the order of positions and bits: the bits of its definition", () => {
    writeStored(3);
    for (let at = 0; at < N; ++at) {
      storedForward();
      expect(differing(HIDDEN, pinned())).toBe(0, at.toString());
      extend(id(TEXT, at));
    }
  });

  test("writes M states and no more, and leaves weights, context and document as they are", () => {
    writeStored(4);
    for (let at = 0; at < 20; ++at) extend(id(TEXT, at));
    expect(<i32>(MIXTURE - BASE)).toBeLessThan(16000);
    remember(BASE, MIXTURE - BASE, SPARE);
    const document = copyOf(DOCUMENT, BAG_WIDTH);
    mark(HIDDEN_FIXED, M * 2);
    storedForward();
    expect(untouched(HIDDEN_FIXED, M * 2)).toBe(true);
    expect(changed(BASE, MIXTURE, BASE, SPARE)).toBe(0);
    expect(gap(DOCUMENT, document)).toBe(0);
    for (let j = 0; j < CONTEXT_TOKENS; ++j) expect(id(CONTEXT, j)).toBe(id(TEXT, 19 - j));
  });

  if (BAG_LAYER > 0) {
    test("foresees the document without changing it: (1 − 1/T) of it, and the token's rows by 1/T", () => {
      writeStored(5);
      fill(DOCUMENT, BAG_WIDTH, -2, 2);
      const before = copyOf(DOCUMENT, BAG_WIDTH);
      for (let token = 0; token < V; ++token) {
        const wanted = new StaticArray<f32>(BAG_WIDTH);
        for (let c = 0; c < BAG_WIDTH; ++c) wanted[c] = KEEP * <f32>before[c];
        addToken(BAG_LAYER, token, 0, NEW, 0, wanted);
        mark(NEXT_DOCUMENT, BAG_WIDTH * 4);
        nextDocument(token);
        expect(differing(NEXT_DOCUMENT, wanted)).toBe(0, token.toString());
      }
      expect(gap(DOCUMENT, before)).toBe(0);
    });
  }
});
