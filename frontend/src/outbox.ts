/**
 * User input on its way to the server: sent, held up to a limit, or refused with a visible message.
 *
 * Input is never queued without a connection: it is refused, and what is held when a connection breaks is counted and
 * discarded. Knows nothing of sockets; the driver takes pieces while the state is `open`.
 */

/** `attaching`: the session is not attached yet. `paused`: the program does not read its input. */
export type InputState = 'disconnected' | 'attaching' | 'open' | 'paused' | 'readOnly' | 'ended';

/** `user`: typed, pasted or a mouse report. `unknown`: it may be the terminal's answer to a program's query. */
export type Origin = 'user' | 'unknown';

/** Limit while a session is being attached: enough for a line typed ahead, not for a file. */
export const ATTACHING_BYTES = 4 * 1024;
/** Limit while the program does not read, and of one paste; the server has the same limit. */
export const HELD_BYTES = 1024 * 1024;
/** Size of one frame. Small, so that `flow_control` is received between two frames of a long paste. */
export const PIECE_BYTES = 16 * 1024;

export class Outbox {
  state: InputState = 'attaching';
  heldBytes = 0;
  private held: Uint8Array[] = [];

  /** Accepts `data`, or returns a message for the user that says why not. Answers during a replay are dropped. */
  offer(data: Uint8Array, origin: Origin, replaying: boolean): string | null {
    if (replaying && origin !== 'user') return null;
    switch (this.state) {
      case 'disconnected':
        return 'Not sent: there is no connection';
      case 'readOnly':
        return origin === 'user' ? 'Not sent: you may only watch this session' : null;
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

  /** The next piece to send, of at most `limitBytes`; `null` if none may be sent now. */
  take(limitBytes: number): Uint8Array | null {
    const first = this.held[0];
    if (this.state !== 'open' || first === undefined) return null;
    const piece = first.subarray(0, Math.max(1, Math.min(PIECE_BYTES, limitBytes)));
    if (piece.length === first.length) this.held.shift();
    else this.held[0] = first.subarray(piece.length);
    this.heldBytes -= piece.length;
    return piece;
  }

  /** Discards what is held; returns the number of bytes. */
  clear(): number {
    const lost = this.heldBytes;
    this.held = [];
    this.heldBytes = 0;
    return lost;
  }

  private hold(data: Uint8Array, limitBytes: number, refusal: string): string | null {
    if (this.heldBytes + data.length > limitBytes) return refusal;
    if (data.length === 0) return null;
    this.held.push(data);
    this.heldBytes += data.length;
    return null;
  }
}
