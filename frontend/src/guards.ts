/**
 * Control sequences that would end xterm.js 6.0.0 or stop it for minutes, carried out within bounds.
 *
 * An error inside xterm.js' parser ends its write queue for good, and a loop in it blocks the page. xterm.js has no
 * public way to carry out a sequence with other parameters, so this calls its input handler; where a version has none,
 * its own behaviour remains.
 */

import type { Terminal } from '@xterm/xterm';

/** A parameter list as xterm.js' handlers take it; those below read the first only. */
interface Params {
  readonly params: readonly number[];
}

interface InputHandler {
  eraseInDisplay(params: Params, respectProtection: boolean): boolean;
  insertLines(params: Params): boolean;
  deleteLines(params: Params): boolean;
  scrollUp(params: Params): boolean;
  scrollDown(params: Params): boolean;
  cursorForwardTab(params: Params): boolean;
  cursorBackwardTab(params: Params): boolean;
  repeatPrecedingCharacter(params: Params): boolean;
}

/** What the guards need; `@xterm/headless` has it too. */
export type Guarded = Pick<Terminal, 'parser' | 'buffer' | 'cols' | 'rows'>;

type Counted = Exclude<keyof InputHandler, 'eraseInDisplay'>;

/** Sequences that xterm.js repeats as often as their parameter says, and the count after which nothing changes. */
const COUNTED: readonly (readonly [final: string, method: Counted, bound: (terminal: Guarded) => number])[] = [
  ['L', 'insertLines', (terminal) => terminal.rows],
  ['M', 'deleteLines', (terminal) => terminal.rows],
  ['S', 'scrollUp', (terminal) => terminal.rows],
  ['T', 'scrollDown', (terminal) => terminal.rows],
  ['I', 'cursorForwardTab', (terminal) => terminal.cols],
  ['Z', 'cursorBackwardTab', (terminal) => terminal.cols],
  // More would only scroll copies of it away.
  ['b', 'repeatPrecedingCharacter', (terminal) => terminal.cols * terminal.rows],
];

const ERASE_TO_CURSOR = 1;
const ERASE_ALL = 2;

function inputHandlerOf(terminal: Guarded): InputHandler | undefined {
  // Private, and the only way; see the head of this file.
  return (terminal as unknown as { _core?: { _inputHandler?: InputHandler } })._core?._inputHandler;
}

/**
 * Whether erasing to the cursor would fail: with the cursor in the last column, xterm.js changes the line after that of
 * the cursor, which the last row has only if lines have been scrolled off (xtermjs/xterm.js#5785).
 */
function isInLastCell(terminal: Guarded): boolean {
  const buffer = terminal.buffer.active;
  return buffer.cursorX + 1 >= terminal.cols && buffer.cursorY + 1 >= buffer.length;
}

export function guardSequences(terminal: Guarded): void {
  const handler = inputHandlerOf(terminal);
  if (handler === undefined) return;
  for (const [final, method, bound] of COUNTED) {
    terminal.parser.registerCsiHandler({ final }, ([count]) => {
      const limit = bound(terminal);
      return typeof count === 'number' && count > limit && handler[method]({ params: [limit] });
    });
  }
  for (const prefix of ['', '?']) {
    const id = prefix === '' ? { final: 'J' } : { prefix, final: 'J' };
    terminal.parser.registerCsiHandler(id, ([what]) => {
      if (what !== ERASE_TO_CURSOR || !isInLastCell(terminal)) return false;
      // From the last cell, "to the cursor" is everything.
      return handler.eraseInDisplay({ params: [ERASE_ALL] }, prefix === '?');
    });
  }
}
