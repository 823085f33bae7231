/**
 * User input on its way to the server: sent, held up to a limit, or refused with a visible message.
 *
 * Input is never queued without a connection: it is refused. What was typed before is delivered exactly once if the
 * server acknowledges input: what it does not have is sent again on the next connection, or the person drops it. An
 * older server does not, and what is held when a connection breaks is then counted and discarded. Knows nothing of
 * sockets; the driver takes pieces while the state is `open`.
 */

import { Pastes } from './paste';
import { SentInput } from './sent';

/**
 * `attaching`: the session is not attached yet. `paused`: the program does not read its input. `asking`: there is
 * undelivered input, and the person has not decided what becomes of it.
 */
export type InputState = 'disconnected' | 'attaching' | 'open' | 'paused' | 'readOnly' | 'ended' | 'asking';

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
  /** Whether the server acknowledges input. */
  numbered = false;
  readonly sent = new SentInput();
  private held: Uint8Array[] = [];
  private readonly pastes = new Pastes();

  /** Bytes of which it is not known that the program's terminal took them. */
  get undeliveredBytes(): number {
    return this.sent.bytes + this.heldBytes;
  }

  /** The beginning of what is not delivered, for the person to recognise. */
  undelivered(limitBytes: number): Uint8Array {
    const text = new Uint8Array(Math.min(limitBytes, this.undeliveredBytes));
    let at = 0;
    for (const piece of [...this.sent.pieces(), ...this.held]) {
      if (at === text.length) break;
      const part = piece.subarray(0, text.length - at);
      text.set(part, at);
      at += part.length;
    }
    return text;
  }

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
      case 'asking':
        return origin === 'user' ? 'Not sent: first send or drop what was not delivered' : null;
    }
  }

  /** The next piece to send, of at most `limitBytes`; `null` if none may be sent now. */
  take(limitBytes: number): Uint8Array | null {
    const first = this.held[0];
    if (this.state !== 'open' || first === undefined) return null;
    if (this.numbered && this.sent.bytes >= HELD_BYTES) return null;
    const piece = first.subarray(0, Math.max(1, Math.min(PIECE_BYTES, limitBytes)));
    if (piece.length === first.length) this.held.shift();
    else this.held[0] = first.subarray(piece.length);
    this.heldBytes -= piece.length;
    return piece;
  }

  /** The offset of a piece that is sent now; `null` if the server does not acknowledge input. */
  number(piece: Uint8Array): number | null {
    return this.numbered ? this.sent.add(piece) : null;
  }

  /**
   * The session is attached, and the server has this page's input before `offset` (`null`: it does not acknowledge
   * input). Returns the number of bytes of which it will never be known whether they arrived.
   */
  attached(offset: number | null): number {
    this.numbered = offset !== null;
    if (offset === null || offset < this.sent.acked || offset > this.sent.end) {
      const uncertain = this.sent.bytes;
      this.sent.restart(offset ?? 0);
      this.pastes.restart();
      return uncertain;
    }
    const again = this.sent.takeFrom(offset);
    this.held = [...again, ...this.held];
    this.heldBytes += again.reduce((bytes, piece) => bytes + piece.length, 0);
    return 0;
  }

  /** Discards what is held; returns the number of bytes. */
  clear(): number {
    const lost = this.heldBytes;
    this.held = [];
    this.heldBytes = 0;
    this.pastes.restart();
    return lost;
  }

  /** Discards what is held because the person drops it; ends a paste of which a part arrived. */
  drop(): number {
    const ending = this.pastes.ending(this.sent.end);
    const lost = this.clear();
    if (ending !== null) this.hold(ending, HELD_BYTES, '');
    return lost;
  }

  /** Forgets everything: the session is over. */
  forget(): void {
    this.held = [];
    this.heldBytes = 0;
    this.sent.restart(this.sent.end);
    this.pastes.restart();
  }

  private hold(data: Uint8Array, limitBytes: number, refusal: string): string | null {
    if (this.heldBytes + data.length > limitBytes) return refusal;
    if (data.length === 0) return null;
    this.pastes.note(data, this.sent.end + this.heldBytes, this.sent.acked);
    this.held.push(data);
    this.heldBytes += data.length;
    return null;
  }
}
