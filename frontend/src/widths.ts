/**
 * How many cells a character takes, from the table that the server has too, as a provider for xterm.js.
 *
 * Widths are those of single code points, as shells and editors count them; with grapheme clusters the page's cursor
 * would stand elsewhere than theirs.
 */

import type { IUnicodeVersionProvider } from '@xterm/xterm';

import table from '../../src/web_terminal_suite/server/screen/character_widths.json';

type Width = 0 | 1 | 2;

/** Bits of xterm.js' character properties: whether the character joins the cell before it, and its width. */
const JOINS = 0b001;
const WIDTH = 0b110;

const BMP_END = 0x10000;

/** Widths of the code points below `BMP_END`; of those above, only ranges are kept. */
const bmp = new Uint8Array(BMP_END).fill(1);
const ranges: { first: number; last: number; width: Width }[] = [];

function add(list: number[][], width: Width): void {
  for (const [first = 0, last = 0] of list) {
    bmp.fill(width, first, last + 1);
    if (last >= BMP_END) ranges.push({ first, last, width });
  }
}

add(table.zero, 0);
add(table.wide, 2);
ranges.sort((a, b) => a.first - b.first);

/** 0, 1 or 2 cells. */
export function characterWidth(codepoint: number): Width {
  if (codepoint < BMP_END) return bmp[codepoint] as Width;
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined) break;
    if (codepoint < range.first) high = middle - 1;
    else if (codepoint > range.last) low = middle + 1;
    else return range.width;
  }
  return 1;
}

export const UNICODE_WIDTHS: IUnicodeVersionProvider = {
  version: table.unicode,
  wcwidth: characterWidth,
  /** A character of width 0 joins the cell before the cursor, whose width stays; it takes none of its own. */
  charProperties(codepoint, preceding) {
    const width = characterWidth(codepoint);
    return width === 0 ? (preceding & WIDTH) | JOINS : width << 1;
  },
};
