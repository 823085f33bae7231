/** Copies a table as it is shown, for an issue or a spreadsheet. */

import { h } from './dom';

const DONE_MS = 1500;

/** Buttons that copy what `table` shows as Markdown or as CSV. */
export function copyButtons(table: HTMLTableElement): HTMLElement {
  const button = (words: string, write: (rows: readonly string[][]) => string): HTMLButtonElement => {
    const found = h('button', { type: 'button' }, words);
    found.addEventListener('click', () => {
      void copied(write(cellsOf(table))).then((done) => {
        found.textContent = done ? 'Copied' : 'Not allowed by the browser';
        setTimeout(() => {
          found.textContent = words;
        }, DONE_MS);
      });
    });
    return found;
  };
  return h('span', { class: 'copy' }, button('Copy as Markdown', markdown), button('Copy as CSV', csv));
}

/** The words of each row, without columns that have none, such as a drawing, and without rows that are only a heading. */
function cellsOf(table: HTMLTableElement): string[][] {
  const width = table.tHead?.rows[0]?.cells.length ?? 0;
  const rows = [...table.rows].filter((row) => row.cells.length === width).map((row) => [...row.cells].map(wordsOf));
  const filled = Array.from({ length: width }, (_, place) => rows.slice(1).some((row) => row[place] !== ''));
  return rows.map((row) => row.filter((_, place) => filled[place]));
}

/** The text of a cell: parts that stand on lines of their own are separated by a space. */
function wordsOf(cell: Element): string {
  const parts: string[] = [];
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node !== null; node = walk.nextNode()) {
    if (node.parentElement?.closest('svg, [aria-hidden="true"]') != null) continue;
    const words = node.textContent ?? '';
    const alone = node.parentElement?.matches('.under, .rate, .ratio, .bounds, .taint, .why, .parameter, .unseen, .word, b') === true;
    parts.push(alone ? ` ${words} ` : words);
  }
  return parts.join('').replace(/\s+/g, ' ').trim();
}

function markdown(rows: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const [head = [], ...rest] = rows;
  return [line(head), line(head.map(() => '---')), ...rest.map(line), ''].join('\n');
}

/** RFC 4180, with text that a spreadsheet would take for a formula set off by an apostrophe. */
function csv(rows: readonly string[][]): string {
  const cell = (words: string): string => `"${(/^[=+\-@\t\r]/.test(words) ? `'${words}` : words).replaceAll('"', '""')}"`;
  return rows.map((cells) => `${cells.map(cell).join(',')}\r\n`).join('');
}

async function copied(words: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    return false;
  }
}
