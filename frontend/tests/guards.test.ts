import { Terminal } from '@xterm/headless';
import { describe, expect, it } from 'vitest';

import { guardSequences } from '../src/guards';
import type { Guarded } from '../src/guards';
import { UNICODE_WIDTHS, characterWidth } from '../src/widths';
import corpus from '../../tests/vectors/character_widths.json';

const LONGEST = 2 ** 31 - 1;

function terminal(cols = 80, rows = 24, scrollback = 0): Terminal {
  const made = new Terminal({ cols, rows, scrollback, allowProposedApi: true });
  // The public parts that the guards use are the same in both packages.
  guardSequences(made as unknown as Guarded);
  made.unicode.register(UNICODE_WIDTHS);
  made.unicode.activeVersion = UNICODE_WIDTHS.version;
  return made;
}

/** Resolves once the text is drawn; an error in the parser is one of the test. */
function write(to: Terminal, text: string): Promise<void> {
  return new Promise((resolve) => to.write(text, resolve));
}

function screen(of: Terminal): string {
  const { active } = of.buffer;
  const rows = Array.from({ length: active.length }, (_, at) => active.getLine(at)?.translateToString(true) ?? '');
  return rows.join('\n').trimEnd();
}

describe('guardSequences', () => {
  it.each(['\x1b[1J', '\x1b[?1J'])('erases all with %j in the last cell, with and without scrollback', async (erase) => {
    for (const scrollback of [0, 100]) {
      const shown = terminal(10, 4, scrollback);
      await write(shown, `one\r\ntwo\x1b[99;99Hx${erase}`);
      expect(screen(shown)).toBe('');
      expect(shown.buffer.active.cursorY).toBe(3);
      await write(shown, '\x1b[2;1Hlives');
      expect(screen(shown)).toBe('\nlives');
    }
  });

  it('keeps protected cells', async () => {
    const shown = terminal(10, 4);
    await write(shown, '\x1b[1"qkept\x1b[0"qgone\x1b[99;99H\x1b[?1J');
    expect(screen(shown)).toBe('kept');
  });

  it.each([...'LMSTIZ@PXbABCDEFGad'])('carries out CSI %s with the largest count as with one that suffices', async (final) => {
    const shown = terminal(20, 5);
    const expected = terminal(20, 5);
    const start = 'one\r\ntwo\r\nthree\r\nfour\r\nfive\x1b[2;4H.';
    await write(shown, `${start}\x1b[${LONGEST}${final}`);
    await write(expected, `${start}\x1b[100${final}`);
    expect(screen(shown)).toBe(screen(expected));
    expect(shown.buffer.active.cursorX).toBe(expected.buffer.active.cursorX);
    expect(shown.buffer.active.cursorY).toBe(expected.buffer.active.cursorY);
  });

  it('leaves smaller counts to xterm.js', async () => {
    const shown = terminal(20, 5);
    await write(shown, 'one\r\ntwo\r\nthree\x1b[1;1H\x1b[M\x1b[1L\x1b[2S');
    expect(screen(shown)).toBe('three');
  });

  it('draws on after any mix of sequences', async () => {
    let state = 5;
    const random = (below: number): number => (state = (state * 48271) % 2147483647) % below;
    const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
    const count = (): string => pick(['', '0', '1', '2', '3', '5', '24', '80', '999', '65535', String(LONGEST)]);
    for (let round = 0; round < 60; round++) {
      const shown = terminal(pick([2, 10, 80]), pick([1, 2, 24]), pick([0, 10]));
      let output = '';
      for (let part = 0; part < 80; part++) {
        const prefix = pick(['', '', '', '?', '>', '=']);
        const middle = pick(['', '', '', '', ' ', '$', '"', "'", '!']);
        const final = String.fromCharCode(0x40 + random(63));
        output += pick([
          `\x1b[${prefix}${count()}${pick(['', `;${count()}`])}${middle}${final}`,
          `\x1b[${count()};${count()}H`,
          `\x1b${String.fromCharCode(0x30 + random(78))}`,
          `\x1b[?${pick([3, 5, 6, 7, 25, 45, 47, 69, 1047, 1048, 1049, 2004])}${pick(['h', 'l'])}`,
          pick(['a', '漢', 'e\u0301', '\u0301', '\t', '\b', '\r', '\n', '\x84', '\x8d', 'abc'.repeat(99)]),
          '\x1b[999;999H\x1b[1J',
        ]);
      }
      await write(shown, `${output}\x18\x1b\\\x1bc`);
      await write(shown, 'ok');
      expect(screen(shown)).toBe('ok');
      shown.dispose();
    }
  });
});

describe('UNICODE_WIDTHS', () => {
  it.each(corpus)('$what: the cursor moves as many cells as the table says', async ({ text, cells }) => {
    expect([...text].reduce((sum, character) => sum + characterWidth(character.codePointAt(0) ?? 0), 0)).toBe(cells);
    const shown = terminal();
    await write(shown, text);
    expect(shown.buffer.active.cursorX).toBe(cells);
  });

  it('joins a mark to the cell before it, also behind a control sequence', async () => {
    const shown = terminal();
    await write(shown, 'e\x1b[1m\u0301\x1b[m漢\x1b[2;1H\x1b[1;4H\u0302|');
    expect(shown.buffer.active.cursorX).toBe(4);
    expect(screen(shown)).toBe('e\u0301漢\u0302|');
  });
});
