import { describe, expect, it } from 'vitest';

import { Drawing, MOST_LOSSES, SUSPECT_BYTES } from '../src/drawing';
import { CharacterJoiner } from '../src/utf8';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

describe('CharacterJoiner', () => {
  const text = 'a é — “•” … 、。「漢」 👨‍👩‍👧 e\u0301 \x1b[1m';

  it('gives whole characters for any cut, and loses nothing', () => {
    const random = seeded(7);
    const whole = encode(text);
    for (let round = 0; round < 300; round++) {
      const joiner = new CharacterJoiner();
      let seen = '';
      for (let at = 0; at < whole.length; ) {
        const next = Math.min(whole.length, at + random(4));
        seen += new TextDecoder('utf-8', { fatal: true }).decode(joiner.join(whole.subarray(at, next)));
        at = next;
      }
      expect(seen).toBe(text);
    }
  });

  it('passes on what is no UTF-8, at the latest with the next bytes', () => {
    const random = seeded(11);
    for (let round = 0; round < 300; round++) {
      const bytes = Uint8Array.from({ length: 40 }, () => random(256));
      const joiner = new CharacterJoiner();
      const seen: number[] = [];
      for (let at = 0; at < bytes.length; at += 3) seen.push(...joiner.join(bytes.subarray(at, at + 3)));
      seen.push(...joiner.join(encode('a')));
      expect(seen).toEqual([...bytes, 0x61]);
    }
  });

  it('forgets half a character whose rest is lost', () => {
    const joiner = new CharacterJoiner();
    expect(joiner.join(encode('a漢').subarray(0, 3))).toEqual(encode('a'));
    joiner.clear();
    expect(joiner.join(encode('b'))).toEqual(encode('b'));
  });
});

/**
 * Draws `output` as a page does whose terminals die of a 0x07, in frames of some size; returns what is seen and the
 * number of terminals.
 */
function drawn(output: Uint8Array, frameBytes: number): { seen: string; terminals: number; drawing: Drawing } {
  const drawing = new Drawing();
  for (let terminals = 1; terminals < 1000; terminals++) {
    let seen = '';
    let died = false;
    for (let at = 0; at < output.length && !died; at += frameBytes) {
      const frame = output.subarray(at, at + frameBytes);
      for (const piece of drawing.cut(frame, at + frame.length, 0)) {
        died = died || piece.data.includes(7);
        if (died) continue;
        seen += new TextDecoder().decode(piece.data);
        drawing.drawn();
      }
    }
    if (!died) return { seen, terminals, drawing };
    drawing.died();
  }
  throw new Error('no terminal survives');
}

describe('Drawing', () => {
  it('cuts where a replay ends, and nowhere else', () => {
    const drawing = new Drawing();
    const ends = (from: number, replayEnd: number): number[] =>
      drawing.cut(new Uint8Array(10), from + 10, replayEnd).map((piece) => piece.to);
    expect(ends(0, 4)).toEqual([4, 10]);
    expect(ends(10, 20)).toEqual([20]);
    expect(ends(20, 20)).toEqual([30]);
  });

  it('gives one piece for a frame that brings nothing new, so that it is drawn in its turn', () => {
    expect(new Drawing().cut(new Uint8Array(), 5, 5)).toEqual([{ from: 5, to: 5, data: new Uint8Array() }]);
  });

  it('counts half a character as drawn, so that a replay that ends in it is over', () => {
    const [piece] = new Drawing().cut(encode('漢').subarray(0, 2), 2, 2);
    expect(piece).toEqual({ from: 0, to: 2, data: new Uint8Array() });
  });

  it('leaves out the one byte that ends terminals, whatever the frames', () => {
    const before = 'text — '.repeat(300);
    const output = encode(`${before}\x1b]4;x\x07${'more 漢 '.repeat(300)}`);
    for (const frameBytes of [1, 7, SUSPECT_BYTES, 4096, 65536]) {
      const { seen, terminals, drawing } = drawn(output, frameBytes);
      expect(seen).toBe(`${before}\x1b]4;x\x18${'more 漢 '.repeat(300)}`);
      expect(terminals).toBeLessThanOrEqual(4);
      expect(drawing.losses).toBe(1);
    }
  });

  it('leaves out whole frames of output that ends terminals again and again', () => {
    const output = encode(`a${'\x07'.repeat(3000)}`.repeat(3));
    const { terminals } = drawn(output, 1000);
    expect(terminals).toBeLessThan(4 * MOST_LOSSES + 10);
  });
});
