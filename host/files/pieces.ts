/**
 * Pieces of text that were observed: what the long-term memory keeps of each, and the identity by which one is found again.
 *
 * A piece's identity is its length with a hash of 64 bits of all its tokens. Of a piece that no longer fits, the end is kept.
 */

/** A piece as it is kept. */
export interface Piece {
  /** The tokens that are kept: all, or the last of them. */
  readonly tokens: Uint16Array;
  /** Tokens of the whole piece. */
  readonly length: number;
  /** Two words of a hash of all of them. */
  readonly hash: readonly [number, number];
  /** The generation of the sums that it was observed in. */
  readonly generation: number;
}

/** Columns of a piece in a file: tokens kept, tokens of the whole, the hash, the generation. */
export const PIECE_COLUMNS = 5;

/** Whether both are the same piece of text, however much of it is kept. */
export function samePiece(a: Piece, b: Piece): boolean {
  return a.length === b.length && a.hash[0] === b.hash[0] && a.hash[1] === b.hash[1];
}

/** The canonical order of pieces, in which they are laid out: by hash, length, then by what is kept. */
export function comparePieces(a: Piece, b: Piece): number {
  return a.hash[0] - b.hash[0] || a.hash[1] - b.hash[1] || a.length - b.length || a.tokens.length - b.tokens.length;
}

/** Takes the tokens of a piece in turn, and keeps the last of them in bounded memory. */
export class PieceReader {
  private kept: Uint16Array;
  private count = 0;
  private length = 0;
  private readonly hash: [number, number] = [0, 0x6a09e667]; // two seeds: the second is the root of 2, as in SHA-256

  /** @param room tokens that are kept at the most */
  constructor(private readonly room: number) {
    this.kept = new Uint16Array(Math.min(2 * room, 1024));
  }

  add(tokens: Uint16Array): void {
    this.length += tokens.length;
    let [high, low] = this.hash;
    for (const token of tokens) {
      high = Math.imul(high ^ (token + 1), 0x9e3779b1);
      high ^= high >>> 15;
      low = Math.imul(low ^ (token + 1), 0x85ebca6b);
      low ^= low >>> 13;
    }
    this.hash[0] = high >>> 0;
    this.hash[1] = low >>> 0;
    const last = tokens.subarray(Math.max(0, tokens.length - this.room));
    if (this.count + last.length > this.kept.length) this.makeRoom(last.length);
    this.kept.set(last, this.count);
    this.count += last.length;
  }

  /** What the tokens so far come to. */
  piece(generation: number): Piece {
    const tokens = this.kept.slice(Math.max(0, this.count - this.room), this.count);
    return { tokens, length: this.length, hash: [...this.hash], generation };
  }

  /** Drops what will not be kept; doubles the buffer while that is not enough. */
  private makeRoom(wanted: number): void {
    const own = this.kept.subarray(Math.max(0, this.count - this.room), this.count);
    let size = this.kept.length;
    while (size < own.length + wanted && size < 2 * this.room) size = Math.min(2 * this.room, 2 * size);
    const kept = new Uint16Array(size);
    kept.set(own);
    this.kept = kept;
    this.count = own.length;
  }
}

/** A piece of these tokens, all of them kept. */
export function pieceOf(tokens: Uint16Array, generation: number): Piece {
  const reader = new PieceReader(tokens.length);
  reader.add(tokens);
  return reader.piece(generation);
}

/** Pieces as two tensors: their tokens one after the other, and a row of PIECE_COLUMNS for each. */
export function packPieces(pieces: readonly Piece[]): { tokens: Uint16Array; rows: Uint32Array } {
  const tokens = new Uint16Array(pieces.reduce((sum, piece) => sum + piece.tokens.length, 0));
  const rows = new Uint32Array(pieces.length * PIECE_COLUMNS);
  let at = 0;
  for (const [i, piece] of pieces.entries()) {
    tokens.set(piece.tokens, at);
    at += piece.tokens.length;
    rows.set([piece.tokens.length, piece.length, ...piece.hash, piece.generation], i * PIECE_COLUMNS);
  }
  return { tokens, rows };
}

/** The pieces of two such tensors; a sentence that says what is wrong with them. */
export function unpackPieces(tokens: Uint16Array, rows: Uint32Array): Piece[] | string {
  const pieces: Piece[] = [];
  let at = 0;
  for (let i = 0; i < rows.length; i += PIECE_COLUMNS) {
    const [kept, length, high, low, generation] = rows.subarray(i, i + PIECE_COLUMNS) as unknown as [
      number,
      ...number[],
    ];
    const piece: Piece = {
      tokens: tokens.slice(at, at + kept),
      length: length!,
      hash: [high!, low!],
      generation: generation!,
    };
    at += kept;
    const number = i / PIECE_COLUMNS;
    if (at > tokens.length) return `piece ${number} has ${kept} tokens, more than there are`;
    if (kept === 0 || kept > length!) return `piece ${number} keeps ${kept} of ${length} tokens`;
    if (kept === length && !samePiece(piece, pieceOf(piece.tokens, 0)))
      return `piece ${number} has another hash than its tokens`;
    pieces.push(piece);
  }
  return at === tokens.length ? pieces : `the pieces have ${at} of ${tokens.length} tokens`;
}
