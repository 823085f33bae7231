/**
 * Where the page stands in a session's output, counted in absolute byte offsets.
 *
 * What was received, what was drawn, what was acknowledged, and what of it is a replay. Nothing is drawn twice,
 * nothing is left out in silence, and the acknowledgements never let the server's window run dry. Knows nothing of
 * frames, sockets and terminals.
 */

/** An acknowledgement at the latest after so many bytes were drawn; the smallest window of a server is four of them. */
export const ACK_EVERY_BYTES = 24 * 1024;

/** Bytes that will not come any more: they fell out of the server's log. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** What to draw of an output frame, and what is missing before it. */
export interface Arrival {
  readonly gap: Gap | null;
  readonly data: Uint8Array;
  /** Offset after `data`, for `drawn`. */
  readonly end: number;
}

export class Stream {
  /** Everything before it was received, or announced as lost; `null` before the first attach. */
  received: number | null = null;
  /** Everything before it was drawn. */
  drawn = 0;
  /** Everything before it was acknowledged on the connection of now. */
  acked = 0;
  /** Bytes that came although they were here already. */
  duplicateBytes = 0;
  gapBytes = 0;
  private replayEnd = 0;
  private ackEveryBytes = ACK_EVERY_BYTES;

  /** A new connection goes on at `offset`; what lies before `end` is a replay. Gives what fell out in between. */
  attached(offset: number, end: number, windowBytes: number): Gap | null {
    const first = this.received === null;
    this.ackEveryBytes = Math.max(1, Math.min(ACK_EVERY_BYTES, Math.floor(windowBytes / 4)));
    this.replayEnd = end > offset ? end : 0;
    this.acked = offset;
    if (first) {
      this.received = this.drawn = offset;
      return null;
    }
    return this.gap(offset);
  }

  /** Output goes on at `to`. Gives what is missing, or `null` where nothing is. */
  gap(to: number): Gap | null {
    const from = this.received ?? to;
    if (to <= from) return null;
    this.received = to;
    this.gapBytes += to - from;
    return { from, to };
  }

  /** An output frame came. Bytes that are here already are cut off; a jump ahead is a gap that nobody announced. */
  arrived(offset: number, data: Uint8Array): Arrival {
    const gap = this.gap(offset);
    const wanted = this.received ?? offset;
    const known = Math.min(data.length, wanted - offset);
    this.duplicateBytes += known;
    const end = Math.max(wanted, offset + data.length);
    this.received = end;
    return { gap, data: data.subarray(known), end };
  }

  /** Everything before `offset` is on the screen. */
  drew(offset: number): void {
    if (offset > this.drawn) this.drawn = offset;
  }

  /** Whether what is being drawn is old: the terminal's answers to queries in it must not be sent. */
  get replaying(): boolean {
    return this.drawn < this.replayEnd;
  }

  get allDrawn(): boolean {
    return this.received === null || this.drawn >= this.received;
  }

  /**
   * The offset to acknowledge now, once; `null` where nothing is due.
   *
   * `idle` asks for what is left below the usual stride: a server that paces by this viewer must not wait for bytes
   * that were drawn long ago.
   */
  takeAck(idle: boolean): number | null {
    const due = this.drawn - this.acked;
    if (due < (idle ? 1 : this.ackEveryBytes)) return null;
    this.acked = this.drawn;
    return this.drawn;
  }
}
