/**
 * The page's position in a session's output, in absolute byte offsets.
 *
 * Tracks what was received, drawn and acknowledged, and what of it is a replay. Nothing is drawn twice, every gap is
 * reported, and acknowledgements are sent early enough that the server's window never fills. Knows nothing of frames,
 * sockets and terminals.
 */

/** An acknowledgement is due at the latest after this many drawn bytes; a server's smallest window is four times that. */
export const ACK_EVERY_BYTES = 24 * 1024;

/** Bytes that the server cannot send any more, because they are no longer in its log. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** What to draw of an output frame, and the gap before it. */
export interface Arrival {
  readonly gap: Gap | null;
  readonly data: Uint8Array;
  /** Offset after `data`, for `markDrawn`. */
  readonly end: number;
}

export class Stream {
  /** Everything before this offset was received or reported as a gap; `null` before the first attach. */
  received: number | null = null;
  /** Everything before this offset was drawn. */
  drawn = 0;
  /** Everything before this offset was acknowledged on the present connection. */
  acked = 0;
  /** Bytes that were received more than once. */
  duplicateBytes = 0;
  gapBytes = 0;
  /** Output before this offset is a replay. */
  replayEnd = 0;
  private ackEveryBytes = ACK_EVERY_BYTES;

  /** A new connection continues at `offset`; output before `end` is a replay. Returns the gap before `offset`. */
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

  /** Nothing is drawn any more; the next attach starts over with what the server still has. */
  restart(): void {
    this.received = null;
    this.drawn = 0;
    this.replayEnd = 0;
  }

  /** Output continues at `to`. Returns the gap before it, if any. */
  gap(to: number): Gap | null {
    const from = this.received ?? to;
    if (to <= from) return null;
    this.received = to;
    this.gapBytes += to - from;
    return { from, to };
  }

  /** Handles an output frame. Bytes received before are cut off; a jump ahead is a gap, although no `gap` came. */
  receive(offset: number, data: Uint8Array): Arrival {
    const gap = this.gap(offset);
    const expected = this.received ?? offset;
    const duplicate = Math.min(data.length, expected - offset);
    this.duplicateBytes += duplicate;
    const end = Math.max(expected, offset + data.length);
    this.received = end;
    return { gap, data: data.subarray(duplicate), end };
  }

  /** Everything before `offset` has been drawn. */
  markDrawn(offset: number): void {
    if (offset > this.drawn) this.drawn = offset;
  }

  /** Whether a replay is being drawn: the terminal's answers to queries in it must not be sent. */
  get replaying(): boolean {
    return this.drawn < this.replayEnd;
  }

  get allDrawn(): boolean {
    return this.received === null || this.drawn >= this.received;
  }

  /**
   * The offset to acknowledge now, once; `null` if none is due.
   *
   * With `idle` even a few bytes are acknowledged: a server whose window this viewer determines must not wait for bytes
   * that were drawn long ago.
   */
  takeAck(idle: boolean): number | null {
    const due = this.drawn - this.acked;
    if (due < (idle ? 1 : this.ackEveryBytes)) return null;
    this.acked = this.drawn;
    return this.drawn;
  }
}
