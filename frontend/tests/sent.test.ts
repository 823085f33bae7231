import { describe, expect, it } from 'vitest';

import { SentInput } from '../src/sent';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (pieces: readonly Uint8Array[]): string => pieces.map((piece) => new TextDecoder().decode(piece)).join('');

describe('SentInput', () => {
  it('numbers by bytes and keeps what is not acknowledged', () => {
    const sent = new SentInput();
    expect([sent.add(bytes('abc')), sent.add(bytes('de'))]).toEqual([0, 3]);
    expect(sent.ack(2)).toBe(true);
    expect([sent.acked, sent.bytes, sent.end, text(sent.pieces())]).toEqual([2, 3, 5, 'cde']);
    expect(sent.ack(1)).toBe(true);
    expect([sent.acked, sent.bytes]).toEqual([2, 3]);
    expect(sent.ack(5)).toBe(true);
    expect(sent.bytes).toBe(0);
  });

  it('refuses an acknowledgement of what was never sent', () => {
    const sent = new SentInput();
    sent.add(bytes('abc'));
    expect(sent.ack(4)).toBe(false);
    expect(sent.bytes).toBe(3);
  });

  it('takes out what the server does not have, from any offset on', () => {
    for (let offset = 1; offset <= 5; offset++) {
      const sent = new SentInput();
      sent.add(bytes('abc'));
      sent.add(bytes('de'));
      sent.ack(1);
      expect(text(sent.takeFrom(offset))).toBe('abcde'.slice(offset));
      expect([sent.acked, sent.end, text(sent.pieces())]).toEqual([1, offset, 'abcde'.slice(1, offset)]);
    }
  });
});
