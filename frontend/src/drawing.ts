/**
 * What is under way to the terminal: output as pieces of whole characters, and what of it a terminal died of.
 *
 * A piece ends where a replay ends, so that a live query is not taken for an old one. Where drawing died, the piece that
 * was being drawn is suspected: when it is replayed it is drawn in smaller pieces, until the byte is found that ends a
 * terminal. That byte is left out. Knows nothing of sockets and terminals.
 */

import { CharacterJoiner } from './utf8';

/** Suspected output is drawn in pieces of this size; a suspected piece of this size, byte by byte. */
export const SUSPECT_BYTES = 256;
/** After this many losses, suspected output is left out as a whole: it is made to end terminals. */
export const MOST_LOSSES = 8;

const NOTHING = new Uint8Array();
/** CAN aborts a control sequence that is cut in two (ECMA-48 8.3.4). */
const CAN = Uint8Array.of(0x18);

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Bytes to draw; everything before `end` is drawn with them. */
export interface Piece extends Range {
  readonly data: Uint8Array;
}

export class Drawing {
  /** Bytes found that ended a terminal. */
  losses = 0;
  private readonly joiner = new CharacterJoiner();
  private readonly underWay: Range[] = [];
  private suspects: Range[] = [];
  private readonly leftOut: Range[] = [];

  /** The pieces of `data`, which ends at offset `end`; also a cut where a replay ends. All of them must be drawn. */
  cut(data: Uint8Array, end: number, replayEnd: number): Piece[] {
    const start = end - data.length;
    const pieces = this.cuts(start, end, replayEnd).map(([from, to]) => this.piece(from, to, data.subarray(from - start, to - start)));
    this.underWay.push(...pieces);
    return pieces;
  }

  /** Output that is not of the session, such as a notice; the bytes before `end` are lost. */
  interrupt(end: number): void {
    this.joiner.clear();
    this.underWay.push({ from: end, to: end });
  }

  /** The oldest piece under way has been drawn. */
  drawn(): void {
    this.underWay.shift();
  }

  /** Drawing ended: everything will be drawn again from the start, with a new terminal. */
  died(): void {
    const culprit = this.underWay[0];
    if (culprit !== undefined && culprit.to > culprit.from) this.suspect(culprit);
    this.underWay.length = 0;
    this.joiner.clear();
  }

  private suspect(culprit: Range): void {
    if (this.losses >= MOST_LOSSES) {
      this.leftOut.push(...this.suspects, culprit);
      this.suspects = [];
    } else if (culprit.to - culprit.from === 1) {
      this.losses += 1;
      this.leftOut.push(culprit);
    } else {
      this.suspects.push(culprit);
    }
  }

  /** Consecutive ranges from `start` to `end`, at least one. */
  private cuts(start: number, end: number, replayEnd: number): [number, number][] {
    const inReplay = replayEnd > start && replayEnd < end;
    if (!inReplay && this.suspects.length === 0 && this.leftOut.length === 0) return [[start, end]];
    const at = new Set([start, end]);
    const add = (offset: number): void => {
      if (offset > start && offset < end) at.add(offset);
    };
    add(replayEnd);
    for (const { from, to } of this.suspects) {
      const step = to - from > SUSPECT_BYTES ? SUSPECT_BYTES : 1;
      for (let offset = from; offset < to; offset += step) add(offset);
      add(to);
    }
    for (const { from, to } of this.leftOut) {
      add(from);
      add(to);
    }
    const sorted = [...at].sort((a, b) => a - b);
    if (sorted.length === 1) return [[start, end]];
    return sorted.slice(1).map((to, index) => [sorted[index] ?? start, to]);
  }

  private piece(from: number, to: number, data: Uint8Array): Piece {
    if (!this.leftOut.some((range) => range.from <= from && to <= range.to && from < to)) {
      return { from, to, data: this.joiner.join(data) };
    }
    this.joiner.clear();
    return { from, to, data: data.length > 0 ? CAN : NOTHING };
  }
}
