/**
 * The long-term memory: the latest pieces of text that were observed, verbatim, in bounded room. History attention sees them beside
 * the text at hand.
 *
 * They are laid out in an order of their own, not in that of their arrival: as long as there is room, predictions depend on which
 * pieces are kept alone. Where there is none, the piece that came first gives way.
 *
 * ```ts
 * const { memory } = new Memory({ capacity: 32768 }).with(pieceOf(tokens, 0));
 * memory.laid; // tokens with BREAK before each piece
 * ```
 */
import { comparePieces, type Piece, samePiece } from "../files/pieces.ts";
import { BREAK } from "../files/statistics.ts";

/** What a memory has room for, and what its texts begin behind. */
export interface Room {
  /** Tokens, a break for each piece included. */
  readonly capacity: number;
  /** The token that every text begins behind, where there is one: it stands in place of the break. */
  readonly begin?: number | undefined;
}

/** A memory is never written to: what changes is another one. */
export class Memory {
  private layout: Uint16Array | undefined;
  /** The pieces in their canonical order, once that was asked for; handed on from one memory to the next. */
  private sorted: readonly Piece[] | undefined;

  /**
   * @param room tokens that there is room for, a break for each piece included
   * @param pieces in the order of their arrival, which fit
   */
  constructor(
    readonly room: Room,
    readonly pieces: readonly Piece[] = [],
  ) {}

  /** A memory of as many of `pieces` as fit, the latest. */
  static of(room: Room, pieces: readonly Piece[]): Memory {
    let memory = new Memory(room);
    if (sizeOf(pieces) <= room.capacity) return new Memory(room, pieces);
    for (const piece of pieces) memory = memory.with(piece).memory;
    return memory;
  }

  /** Tokens that there is room for, a break for each piece included. */
  get capacity(): number {
    return this.room.capacity;
  }

  /** Tokens that are kept. */
  get tokens(): number {
    return this.pieces.reduce((sum, { tokens }) => sum + tokens.length, 0);
  }

  /** The memory with one more piece, and the tokens that had to give way for it, or did not fit. */
  with(piece: Piece): { readonly memory: Memory; readonly evicted: number } {
    return this.withAll([piece]);
  }

  /** The same with several pieces, one after the other. */
  withAll(added: readonly Piece[]): { readonly memory: Memory; readonly evicted: number } {
    const some = added.filter(({ tokens }) => tokens.length > 0);
    let evicted = added.reduce((sum, { length, tokens }) => sum + length - tokens.length, 0);
    if (some.length === 0) return { memory: this, evicted };
    const pieces = [...this.pieces, ...some];
    let over = sizeOf(pieces) - this.capacity;
    let first = 0;
    while (over > 0 && first < pieces.length) {
      const oldest = pieces[first]!;
      const { tokens } = oldest;
      if (tokens.length > over) {
        pieces[first] = { ...oldest, tokens: tokens.slice(over) };
        evicted += over;
        break;
      }
      evicted += tokens.length;
      over -= tokens.length + 1;
      ++first;
    }
    return { memory: this.next(pieces.slice(first)), evicted };
  }

  /** The memory without one copy of a piece, the oldest of its generation, which may be cut; the same memory where there is none. */
  without(piece: Piece): Memory {
    const at = this.pieces.findIndex((kept) => samePiece(kept, piece) && kept.generation === piece.generation);
    if (at < 0) return this;
    return this.next([...this.pieces.slice(0, at), ...this.pieces.slice(at + 1)]);
  }

  /** The same with several pieces, in one step. */
  withoutAll(removed: readonly Piece[]): Memory {
    const key = ({ hash, length, generation }: Piece) => `${hash.join()} ${length} ${generation}`;
    const left = new Map<string, number>();
    for (const piece of removed) left.set(key(piece), (left.get(key(piece)) ?? 0) + 1);
    const kept = this.pieces.filter((piece) => {
      const copies = left.get(key(piece)) ?? 0;
      if (copies > 0) left.set(key(piece), copies - 1);
      return copies === 0;
    });
    return kept.length === this.pieces.length ? this : this.next(kept);
  }

  /** The generation of a copy of a piece, of the piece's own where there is one; undefined where none is kept. */
  generationOf(piece: Piece): number | undefined {
    const copies = this.pieces.filter((kept) => samePiece(kept, piece));
    return (copies.find(({ generation }) => generation === piece.generation) ?? copies.at(-1))?.generation;
  }

  /**
   * All that is kept in the canonical order of the pieces, BREAK before each piece. Where texts begin behind a token, that stands before each piece
   * whose begin is kept, once where the piece before ends with it: so what followed it is recalled, too.
   */
  get laid(): Uint16Array {
    if (this.layout !== undefined) return this.layout;
    const laid = new Uint16Array(sizeOf(this.pieces));
    let at = 0;
    this.sorted ??= [...this.pieces].sort(comparePieces);
    const { begin = BREAK } = this.room;
    for (const { tokens, length } of this.sorted) {
      const before = tokens.length === length ? begin : BREAK;
      if (before === BREAK || laid[at - 1] !== before) laid[at++] = before;
      laid.set(tokens, at);
      at += tokens.length;
    }
    this.layout = laid.subarray(0, at);
    return this.layout;
  }

  /** A memory of other pieces, most of which are here, too: sorted by moving the few that are not. */
  private next(pieces: readonly Piece[]): Memory {
    const memory = new Memory(this.room, pieces);
    if (this.sorted === undefined) return memory;
    const [before, after] = [new Set(this.pieces), new Set(pieces)];
    if (pieces.length > before.size + 64) return memory; // many are new: sorted anew when that is asked for
    const sorted = this.sorted.filter((piece) => after.has(piece));
    for (const piece of pieces) {
      if (before.has(piece)) continue;
      const at = sorted.findIndex((other) => comparePieces(other, piece) > 0);
      sorted.splice(at < 0 ? sorted.length : at, 0, piece);
    }
    memory.sorted = sorted;
    return memory;
  }
}

function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { tokens }) => sum + tokens.length + 1, 0);
}
