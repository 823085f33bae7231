import { describe, expect, it } from 'vitest';

import { ATTACHING_BYTES, HELD_BYTES, Outbox, PIECE_BYTES } from '../src/outbox';
import type { InputState } from '../src/outbox';

const key = new TextEncoder().encode('a');

function inState(state: InputState): Outbox {
  const outbox = new Outbox();
  outbox.state = state;
  return outbox;
}

describe('Outbox', () => {
  it('sends at once while the line is open', () => {
    const outbox = inState('open');
    expect(outbox.offer(key, 'user', false)).toBeNull();
    expect(outbox.take(1 << 20)).toEqual(key);
    expect(outbox.take(1 << 20)).toBeNull();
  });

  it('holds what is typed while attaching, in order, up to its bound', () => {
    const outbox = inState('attaching');
    expect(outbox.offer(Uint8Array.of(1), 'user', false)).toBeNull();
    expect(outbox.offer(Uint8Array.of(2), 'user', false)).toBeNull();
    expect(outbox.take(1 << 20)).toBeNull();
    expect(outbox.offer(new Uint8Array(ATTACHING_BYTES - 1), 'user', false)).toMatch(/^Not sent/);
    expect(outbox.offer(new Uint8Array(ATTACHING_BYTES - 2), 'user', false)).toBeNull();
    outbox.state = 'open';
    expect(outbox.take(1 << 20)).toEqual(Uint8Array.of(1));
    expect(outbox.take(1 << 20)).toEqual(Uint8Array.of(2));
  });

  it('refuses aloud while there is no connection', () => {
    const outbox = inState('disconnected');
    expect(outbox.offer(key, 'user', false)).toBe('Not sent: there is no connection');
    outbox.state = 'open';
    expect(outbox.take(1 << 20)).toBeNull();
  });

  it('holds 1 MiB while the program does not read, then refuses', () => {
    const outbox = inState('paused');
    expect(outbox.offer(new Uint8Array(HELD_BYTES), 'user', false)).toBeNull();
    expect(outbox.offer(key, 'user', false)).toMatch(/not reading/);
    expect(outbox.take(1 << 20)).toBeNull();
    expect(outbox.heldBytes).toBe(HELD_BYTES);
  });

  it('cuts a paste into pieces that add up', () => {
    const outbox = inState('open');
    const paste = Uint8Array.from({ length: 3 * PIECE_BYTES + 5 }, (_, at) => at % 256);
    outbox.offer(paste, 'user', false);
    const pieces: Uint8Array[] = [];
    for (let piece = outbox.take(1 << 20); piece !== null; piece = outbox.take(1 << 20)) pieces.push(piece);
    expect(pieces.map((piece) => piece.length)).toEqual([PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, 5]);
    expect(Buffer.concat(pieces).equals(Buffer.from(paste))).toBe(true);
    expect(outbox.heldBytes).toBe(0);
  });

  it('keeps to a limit of the server below a piece', () => {
    const outbox = inState('open');
    outbox.offer(Uint8Array.of(1, 2, 3), 'user', false);
    expect(outbox.take(2)).toEqual(Uint8Array.of(1, 2));
    expect(outbox.take(2)).toEqual(Uint8Array.of(3));
  });

  it('drops answers in a replay, but not what a person types meanwhile', () => {
    const outbox = inState('open');
    expect(outbox.offer(key, 'unknown', true)).toBeNull();
    expect(outbox.take(1 << 20)).toBeNull();
    outbox.offer(key, 'user', true);
    expect(outbox.take(1 << 20)).toEqual(key);
  });

  it('tells a watcher that nothing is sent, and lets answers vanish', () => {
    const outbox = inState('readOnly');
    expect(outbox.offer(key, 'user', false)).toMatch(/only watch/);
    expect(outbox.offer(key, 'unknown', false)).toBeNull();
    expect(outbox.take(1 << 20)).toBeNull();
  });

  it('counts what it gives up', () => {
    const outbox = inState('paused');
    outbox.offer(new Uint8Array(7), 'user', false);
    expect(outbox.clear()).toBe(7);
    expect(outbox.clear()).toBe(0);
  });
});
