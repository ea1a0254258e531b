// Thawed inputs: the cipher as a real table E (V, b), trained with the rest. x̄ at position j is a row of E, z = u0 + Σ_j x̄_j U_j, and
// dx̄_j = dz U_jᵀ. For the device E is folded into U: E·U_j is what one-hot inputs want at position j, so nothing is lost.
import { cipherBit, cipherLength } from "./cipher";
import { softmaxHeads } from "./hidden";
import { contextToken } from "./layer";
import { product } from "./product";
import { transposeTile } from "./residual";
import { ABSENT, BITS, BLOCK, HEADS, M, V } from "./shape";
import { BATCH, TILE } from "./trainer-memory";
import { WIDTH } from "./tuner-memory";

/** outEmbedding (V, WIDTH) f32 ← the cipher: 1 / bits at each of a token's bits, 0 elsewhere. */
export function thawCipher(cipher: usize, outEmbedding: usize): void {
  memory.fill(outEmbedding, 0, (<usize>V * WIDTH) << 2);
  for (let token: u32 = 0; token < <u32>V; ++token) {
    const bits = cipherLength(cipher, token);
    for (let i = 0; i < bits; ++i) {
      store<f32>(outEmbedding + ((token * WIDTH + cipherBit(cipher, token, i)) << 2), <f32>1 / <f32>bits);
    }
  }
}

/**
 * Hidden states of one tile from embedded inputs.
 *
 * @param places (TILE) u32; @param count places in use, the rest of the tile is zeroed
 * @param embedding (V, WIDTH) f32; @param u (r·b, M) f32, u0 (M) f32
 * @param outEmbedded (r, BATCH, WIDTH) f32 from this tile's first row on
 * @param outHidden (TILE, M) f32
 */
export function embeddedTile(
  tokens: usize,
  places: usize,
  count: i32,
  embedding: usize,
  u: usize,
  u0: usize,
  outEmbedded: usize,
  outHidden: usize,
): void {
  const row = <usize>WIDTH << 2;
  for (let t: usize = 0; t < <usize>TILE; ++t) memory.copy(outHidden + ((t * M) << 2), u0, M << 2);
  for (let j: usize = 0; j < <usize>BLOCK; ++j) {
    const rows = outEmbedded + j * BATCH * row;
    for (let t: usize = 0; t < <usize>TILE; ++t) {
      const token = <i32>t < count ? contextToken(tokens, load<i32>(places + (t << 2)), <i32>j) : ABSENT;
      if (token == ABSENT) memory.fill(rows + t * row, 0, row);
      else memory.copy(rows + t * row, embedding + <usize>token * row, row);
    }
    product(rows, WIDTH, 1, u + ((j * BITS * M) << 2), M, TILE, BITS, M, 1, outHidden, M);
  }
  for (let t: usize = 0; t < <usize>TILE; ++t) {
    const hidden = outHidden + ((t * M) << 2);
    if (<i32>t >= count) memory.fill(hidden, 0, M << 2);
    else softmaxHeads(hidden, HEADS);
  }
}

/**
 * Gradients of one tile's embedded inputs, dx̄_j = U_j dz. The rows of U are taken in fours: past the last one stand other weights,
 * whose products land in columns that nothing reads.
 *
 * @param delta (TILE, M) f32, dz; @param transposed (M, TILE) f32 scratch
 * @param outDelta (r, BATCH / TILE, WIDTH, TILE) f32 from this tile on
 */
export function embeddedDeltas(delta: usize, u: usize, transposed: usize, outDelta: usize): void {
  transposeTile(delta, transposed);
  for (let j: usize = 0; j < <usize>BLOCK; ++j) {
    const rows = outDelta + ((j * BATCH * WIDTH) << 2);
    product(u + ((j * BITS * M) << 2), M, 1, transposed, TILE, WIDTH, M, TILE, 0, rows, TILE);
  }
}

/**
 * Mean gradient of up to four rows of U, those of bits [bit, bit + 4) at position j, under embedded inputs.
 *
 * @param tiles tiles in the batch; @param embedded (r, BATCH, WIDTH) f32; @param delta (tiles, TILE, M) f32, dz
 * @param four (4, M) f32 scratch
 * @param outU (r·b, M) f32
 */
export function embeddedFeatureGradient(
  tiles: i32,
  embedded: usize,
  delta: usize,
  j: usize,
  bit: usize,
  weight: f32,
  four: usize,
  outU: usize,
): void {
  memory.fill(four, 0, M << 4);
  for (let tile: usize = 0; tile < <usize>tiles; ++tile) {
    const inputs = embedded + (((j * BATCH + tile * TILE) * WIDTH + bit) << 2);
    product(inputs, 1, WIDTH, delta + ((tile * TILE * M) << 2), M, 4, TILE, M, weight, four, M);
  }
  memory.copy(outU + (((j * BITS + bit) * M) << 2), four, (min<usize>(4, <usize>BITS - bit) * M) << 2);
}

/**
 * Mean gradient of E's rows [first, end): Σ over the places and positions that hold the token.
 *
 * @param places (count) u32; @param embeddedDelta (r, BATCH / TILE, WIDTH, TILE) f32
 * @param outEmbedding (V, WIDTH) f32; columns from b on stay 0
 */
export function embeddingGradient(
  tokens: usize,
  places: usize,
  count: i32,
  embeddedDelta: usize,
  first: u32,
  end: u32,
  weight: f32,
  outEmbedding: usize,
): void {
  memory.fill(outEmbedding + ((<usize>first * WIDTH) << 2), 0, (<usize>(end - first) * WIDTH) << 2);
  for (let t: usize = 0; t < <usize>count; ++t) {
    const at = load<i32>(places + (t << 2));
    for (let j: usize = 0; j < <usize>BLOCK; ++j) {
      const token = contextToken(tokens, at, <i32>j);
      if (token < first || token >= end) continue; // ABSENT is past any end
      const column = embeddedDelta + (((j * BATCH + t / TILE * TILE) * WIDTH + t % TILE) << 2);
      const row = outEmbedding + ((<usize>token * WIDTH) << 2);
      for (let bit: usize = 0; bit < <usize>BITS; ++bit) {
        const to = row + (bit << 2);
        store<f32>(to, load<f32>(to) + weight * load<f32>(column + bit * TILE * 4));
      }
    }
  }
}

/** outFolded (r·V, M) f32 ← E·U_j a position: what a one-hot model of the same predictions has for U. */
export function foldEmbedding(embedding: usize, u: usize, outFolded: usize): void {
  for (let j: usize = 0; j < <usize>BLOCK; ++j) {
    const rows = u + ((j * BITS * M) << 2);
    product(embedding, WIDTH, 1, rows, M, V, BITS, M, 0, outFolded + ((j * V * M) << 2), M);
  }
}
