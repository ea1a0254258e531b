import { softmax } from "../../common/softmax";
import { ATTENTION, BASE, CIPHER, CONTEXT, DOCUMENT, HIDDEN, HIDDEN_FIXED, MIXTURE, NEXT_DOCUMENT, STATES, U0 } from "../../device/layout";
import { KEEP, NEW } from "../../layers/bag";
import { nextDocument, storedForward } from "../../layers/stored";
import {
  ABSENT,
  ATTENDED,
  BAG,
  BAG_LAYER,
  BAG_WIDTH,
  BITS,
  columnOf,
  CONTEXT_TOKENS,
  LAYERS,
  M,
  readsOf,
  rowsOf,
  STATES as READS_STATES,
  UNITS,
  V,
  widthOf,
  WINDOW,
} from "../../shape";
import { denseToken } from "../dense";
import { denseStored, extend, LENGTH, scaleAt, TEXT, weightAt, writeStoredModel } from "../stored";
import { changed, copyOf, differing, fill, gap, get, id, mark, remember, ROUNDING, untouched } from "../support";

const LOGITS = memory.data(M * 4, 16);
const SPARE = memory.data(16384, 16);
/** Layers of layers, and a document that is carried along. */
const LAYERED: f64 = ROUNDING * 8;

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
    writeStoredModel(1);
    const model = denseStored();
    for (let at = 0; at < LENGTH; ++at) {
      expect(storedForward()).toBe(true);
      expect(gap(HIDDEN, model.states(at))).toBeLessThan(LAYERED, at.toString());
      extend(id(TEXT, at));
    }
  });

  test("reads every token's rows", () => {
    writeStoredModel(2);
    const model = denseStored();
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
    writeStoredModel(3);
    for (let at = 0; at < LENGTH; ++at) {
      storedForward();
      expect(differing(HIDDEN, pinned())).toBe(0, at.toString());
      extend(id(TEXT, at));
    }
  });

  test("writes M states and no more, and leaves weights, context and document as they are", () => {
    writeStoredModel(4);
    for (let at = 0; at < 20; ++at) extend(id(TEXT, at));
    expect(<i32>(MIXTURE - BASE)).toBeLessThan(16000);
    remember(BASE, MIXTURE - BASE, SPARE);
    const document = copyOf(DOCUMENT, BAG_WIDTH);
    mark(HIDDEN_FIXED, (M + 1) * 4);
    storedForward();
    expect(untouched(HIDDEN_FIXED, (M + 1) * 4)).toBe(true);
    expect(changed(BASE, MIXTURE, BASE, SPARE)).toBe(0);
    expect(gap(DOCUMENT, document)).toBe(0);
    for (let j = 0; j < CONTEXT_TOKENS; ++j) expect(id(CONTEXT, j)).toBe(id(TEXT, 19 - j));
  });

  if (BAG_LAYER > 0) {
    test("foresees the document without changing it: (1 − 1/T) of it, and the token's rows by 1/T", () => {
      writeStoredModel(5);
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
