import { describe, expect, it } from 'vitest';

import { ACK_EVERY_BYTES, Stream } from '../src/stream';

const WINDOW = 128 * 1024;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

function attachedAt(offset: number, end = offset, window = WINDOW): Stream {
  const stream = new Stream();
  expect(stream.attached(offset, end, window)).toBeNull();
  return stream;
}

describe('offsets', () => {
  it('starts where the first attach says, without a gap', () => {
    const stream = attachedAt(5000);
    expect(stream.received).toBe(5000);
    expect(stream.gapBytes).toBe(0);
  });

  it('passes on what follows', () => {
    const stream = attachedAt(10);
    expect(stream.receive(10, bytes('abc'))).toEqual({ gap: null, data: bytes('abc'), end: 13 });
    expect(stream.received).toBe(13);
  });

  it('cuts off what is here already', () => {
    const stream = attachedAt(0);
    stream.receive(0, bytes('abcdef'));
    expect(text(stream.receive(3, bytes('defgh')).data)).toBe('gh');
    expect(text(stream.receive(0, bytes('abc')).data)).toBe('');
    expect(stream.received).toBe(8);
    expect(stream.duplicateBytes).toBe(6);
  });

  it('notices bytes that are missing', () => {
    const stream = attachedAt(0);
    stream.receive(0, bytes('ab'));
    expect(stream.receive(5, bytes('fg'))).toEqual({ gap: { from: 2, to: 5 }, data: bytes('fg'), end: 7 });
    expect(stream.gapBytes).toBe(3);
  });

  it('announces a gap once, whether attach or the gap message tells it first', () => {
    const stream = attachedAt(0);
    stream.receive(0, bytes('ab'));
    expect(stream.attached(100, 200, WINDOW)).toEqual({ from: 2, to: 100 });
    expect(stream.gap(100)).toBeNull();
    expect(stream.receive(100, bytes('x')).gap).toBeNull();
  });

  it('resumes without doubling when the server goes back further than it was asked', () => {
    const stream = attachedAt(0);
    stream.receive(0, bytes('abcdef'));
    expect(stream.attached(2, 8, WINDOW)).toBeNull();
    expect(text(stream.receive(2, bytes('cdefgh')).data)).toBe('gh');
  });

  it('gives every byte once, in order, for any cut and any overlap', () => {
    const whole = Uint8Array.from({ length: 500 }, (_, at) => at % 251);
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    for (let round = 0; round < 200; round++) {
      const stream = attachedAt(0);
      const seen: number[] = [];
      while ((stream.received ?? 0) < whole.length) {
        const at = stream.received ?? 0;
        const start = Math.max(0, at - random(40));
        const arrival = stream.receive(start, whole.subarray(start, start + random(60)));
        expect(arrival.gap).toBeNull();
        seen.push(...arrival.data);
      }
      expect(seen).toEqual([...whole]);
    }
  });

  it('counts beyond 32 bits', () => {
    const stream = attachedAt(2 ** 40);
    expect(stream.receive(2 ** 40, bytes('a')).end).toBe(2 ** 40 + 1);
  });
});

describe('replay', () => {
  it('lasts until everything before its end was drawn', () => {
    const stream = attachedAt(0, 6);
    expect(stream.replaying).toBe(true);
    stream.receive(0, bytes('abcdefgh'));
    stream.markDrawn(5);
    expect(stream.replaying).toBe(true);
    stream.markDrawn(8);
    expect(stream.replaying).toBe(false);
  });

  it('is none where nothing was logged', () => {
    expect(attachedAt(0, 0).replaying).toBe(false);
  });

  it('is none on a reconnect that missed nothing, although drawing lags behind', () => {
    const stream = attachedAt(0);
    stream.receive(0, bytes('abc'));
    stream.attached(3, 3, WINDOW);
    expect(stream.replaying).toBe(false);
  });

  it('ends behind a gap that swallowed it', () => {
    const stream = attachedAt(0);
    stream.attached(50, 60, WINDOW);
    stream.gap(70);
    stream.markDrawn(70);
    expect(stream.replaying).toBe(false);
  });
});

describe('acknowledgements', () => {
  it('come once a stride is drawn, and not for what is only received', () => {
    const stream = attachedAt(0);
    stream.receive(0, new Uint8Array(ACK_EVERY_BYTES));
    expect(stream.takeAck(false)).toBeNull();
    stream.markDrawn(ACK_EVERY_BYTES - 1);
    expect(stream.takeAck(false)).toBeNull();
    stream.markDrawn(ACK_EVERY_BYTES);
    expect(stream.takeAck(false)).toBe(ACK_EVERY_BYTES);
    expect(stream.takeAck(false)).toBeNull();
  });

  it('come for the rest when idle', () => {
    const stream = attachedAt(0);
    stream.receive(0, bytes('$ '));
    stream.markDrawn(2);
    expect(stream.takeAck(true)).toBe(2);
    expect(stream.takeAck(true)).toBeNull();
  });

  it('come four times in a window smaller than the stride', () => {
    const stream = attachedAt(0, 0, 4096);
    stream.receive(0, new Uint8Array(1024));
    stream.markDrawn(1024);
    expect(stream.takeAck(false)).toBe(1024);
  });

  it('never let a window run dry, whatever the sizes of frames', () => {
    for (const window of [1, 3, 100, 4096, WINDOW]) {
      const stream = attachedAt(0, 0, window);
      let acked = 0;
      let sent = 0;
      for (let frame = 0; frame < 50; frame++) {
        const room = window - (sent - acked);
        expect(room).toBeGreaterThan(0);
        const { end } = stream.receive(sent, new Uint8Array(room));
        sent += room;
        stream.markDrawn(end);
        acked = stream.takeAck(false) ?? acked;
      }
    }
  });

  it('start anew on a new connection, and never name what it did not send', () => {
    const stream = attachedAt(0);
    stream.receive(0, new Uint8Array(100));
    stream.markDrawn(40);
    stream.attached(100, 100, WINDOW);
    expect(stream.takeAck(true)).toBeNull();
    stream.markDrawn(100);
    expect(stream.takeAck(true)).toBeNull();
  });
});
