/**
 * What a person types on its way to the server: sent, held back up to a bound, or refused aloud.
 *
 * Never queued in silence: what is typed while there is no connection is refused, and what still waits when a
 * connection breaks is counted and given up. Knows nothing of sockets; the driver takes pieces while the line is open.
 */

/** `attaching`: the session is not there yet. `paused`: the program does not read. */
export type Line = 'down' | 'attaching' | 'open' | 'paused' | 'readOnly' | 'ended';

/** `person` typed, pasted or pointed; `unknown` may as well be the terminal's answer to a query of the program. */
export type Origin = 'person' | 'unknown';

/** Held for a session that is just being attached: a line typed ahead, not a file. */
export const ATTACHING_BYTES = 4 * 1024;
/** Held while the program does not read, and the longest paste; the server's own bound is the same. */
export const HELD_BYTES = 1024 * 1024;
/** One frame. Small, so that `flow_control` is heard between two frames of a long paste. */
export const PIECE_BYTES = 16 * 1024;

export class Outbox {
  line: Line = 'attaching';
  heldBytes = 0;
  private held: Uint8Array[] = [];

  /** Take `data` in, or give the reason why it is not sent, for a person to read. Answers in a replay vanish. */
  offer(data: Uint8Array, origin: Origin, replaying: boolean): string | null {
    if (replaying && origin !== 'person') return null;
    switch (this.line) {
      case 'down':
        return 'Not sent: there is no connection';
      case 'readOnly':
        return origin === 'person' ? 'Not sent: you may only watch this session' : null;
      case 'ended':
        return null;
      case 'attaching':
        return this.hold(data, ATTACHING_BYTES, 'Not sent: the session is not attached yet');
      case 'open':
        return this.hold(data, HELD_BYTES, 'Not sent: more than 1 MiB is waiting to be sent');
      case 'paused':
        return this.hold(data, HELD_BYTES, 'Not sent: the program is not reading, and 1 MiB is waiting for it');
    }
  }

  /** The next piece to send, of at most `limitBytes`, or `null` where none may be sent now. */
  take(limitBytes: number): Uint8Array | null {
    const first = this.held[0];
    if (this.line !== 'open' || first === undefined) return null;
    const piece = first.subarray(0, Math.max(1, Math.min(PIECE_BYTES, limitBytes)));
    if (piece.length === first.length) this.held.shift();
    else this.held[0] = first.subarray(piece.length);
    this.heldBytes -= piece.length;
    return piece;
  }

  /** Give up what waits, and say how many bytes that was. */
  clear(): number {
    const lost = this.heldBytes;
    this.held = [];
    this.heldBytes = 0;
    return lost;
  }

  private hold(data: Uint8Array, boundBytes: number, refusal: string): string | null {
    if (this.heldBytes + data.length > boundBytes) return refusal;
    if (data.length === 0) return null;
    this.held.push(data);
    this.heldBytes += data.length;
    return null;
  }
}
