/**
 * xterm.js as the page uses it, without a page: the oracle of the server's emulator.
 *
 * Reads one request per line from standard input and answers each with one line: a request is an array of operations,
 * an answer the array of their results. Widths, guards and the joining of characters are the page's own modules.
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const FRONTEND = path.resolve(__dirname, '../../../frontend');
const modules = (name) => require(path.join(FRONTEND, 'node_modules', name));
const typescript = modules('typescript');
const { Terminal } = modules('@xterm/headless');

require.extensions['.ts'] = (module, file) => {
  const compilerOptions = { module: typescript.ModuleKind.CommonJS, target: 'es2022', esModuleInterop: true };
  module._compile(typescript.transpileModule(fs.readFileSync(file, 'utf8'), { compilerOptions }).outputText, file);
};
const page = (name) => require(path.join(FRONTEND, 'src', `${name}.ts`));
const { guardSequences } = page('guards');
const { UNICODE_WIDTHS } = page('widths');
const { CharacterJoiner } = page('utf8');

const MOST_DIFFERENCES = 5;
const PARSER_STATES = [
  'ground', 'escape', 'escape intermediate', 'csi entry', 'csi param', 'csi intermediate', 'csi ignore', 'string',
  'osc', 'dcs entry', 'dcs param', 'dcs ignore', 'dcs intermediate', 'dcs passthrough',
];
const HALF = 'half a wide character';
const SET = 1;
const RESTORE = 2;
const IS_COMBINED = 0x200000;
const EXTENDED = 0x10000000;

class Oracle {
  constructor({ cols, rows, scrollback }) {
    this.terminal = new Terminal({ cols, rows, scrollback, allowProposedApi: true, logLevel: 'off' });
    this.core = this.terminal._core;
    this.terminal.unicode.register(UNICODE_WIDTHS);
    this.terminal.unicode.activeVersion = UNICODE_WIDTHS.version;
    guardSequences(this.terminal);
    this.joiner = new CharacterJoiner();
    this.comparesLinks = true;
    this.colours = {};
    this.core._inputHandler.onColor((events) => {
      for (const { type, index, color } of events) {
        if (type === SET) this.colours[index] = color.join();
        else if (type === RESTORE && index === undefined) {
          for (const each of Object.keys(this.colours)) if (each < 256) delete this.colours[each];
        } else if (type === RESTORE) delete this.colours[index];
      }
    });
  }

  feed(data) {
    this.core.writeSync(this.joiner.join(Buffer.from(data, 'base64')));
  }

  resize(cols, rows) {
    this.terminal.resize(cols, rows);
  }

  /** A link of the cell or pen with these extended attributes. */
  link(extended) {
    if (!this.comparesLinks) return '';
    const entry = this.core._oscLinkService._dataByLinkId.get(extended.urlId);
    return entry === undefined ? '' : `${entry.data.id ?? ''} ${entry.data.uri}`;
  }

  /** Underline style, its colour, and the link. The style under a link is stored, but reads as dashed. */
  extended(attributes) {
    const raw = attributes.extended._ext;
    return `${(raw >>> 26) & 7} ${colour(raw & 0x3ffffff)} ${this.link(attributes.extended)}`;
  }

  pen(attributes) {
    return { fg: colour(attributes.fg), bg: colour(attributes.bg), extended: this.extended(attributes) };
  }

  /** Everything but the lines. */
  state() {
    const { buffers, coreService, coreMouseService, _charsetService: charsets, _inputHandler: handler } = this.core;
    const parser = handler._parser;
    const buffer = (each) => ({
      top: each.scrollTop,
      bottom: each.scrollBottom,
      savedX: Math.min(each.savedX, this.terminal.cols - 1),
      savedY: Math.min(Math.max(each.savedY - each.ybase, 0), this.terminal.rows - 1),
      savedPen: { fg: colour(each.savedCurAttrData.fg), bg: colour(each.savedCurAttrData.bg) },
      savedCharset: charset(each.savedCharset),
      tabs: Object.keys(each.tabs).filter((stop) => each.tabs[stop] && stop < this.terminal.cols).join(),
    });
    const params = parser._params;
    const inParameters = parser.currentState === 3 || parser.currentState === 4 || parser.currentState === 10;
    return {
      size: `${this.terminal.cols}x${this.terminal.rows}`,
      active: buffers.active === buffers.alt ? 'alternate' : 'normal',
      x: buffers.active.x,
      y: buffers.active.y,
      normal: buffer(buffers.normal),
      alternate: buffer(buffers.alt),
      modes: coreService.modes,
      private: coreService.decPrivateModes,
      hidden: coreService.isCursorHidden,
      blink: this.terminal.options.cursorBlink,
      newLine: this.terminal.options.convertEol,
      mouse: coreMouseService.activeProtocol,
      mouseEncoding: coreMouseService.activeEncoding,
      charset: charset(charsets.charset),
      charsets: [0, 1, 2, 3].map((each) => charset(charsets._charsets[each])).join(' | '),
      level: charsets.glevel,
      pen: this.pen(handler._curAttrData),
      title: handler._windowTitle,
      icon: handler._iconName,
      colours: this.colours,
      parser: PARSER_STATES[parser.currentState],
      // The width of what a mark joins; the lowest bit tells nothing more.
      join: parser.precedingJoinState >> 1,
      params: inParameters ? [...params.params.slice(0, params.length), params._rejectDigits] : null,
      held: Buffer.from(this.joiner.held).toString('hex'),
    };
  }

  lines(which) {
    const buffer = this.core.buffers[which];
    const first = which === 'alt' ? buffer.ybase : 0;
    return Array.from({ length: buffer.lines.length - first }, (_, at) => buffer.lines.get(first + at));
  }

  cell(line, at) {
    const content = line._data[at * 3];
    const text = content & IS_COMBINED ? line._combined[at] : content & 0x1fffff ? String.fromCodePoint(content & 0x1fffff) : '';
    const [fg, bg] = [colour(line._data[at * 3 + 1]), colour(line._data[at * 3 + 2])];
    // A smaller size cuts a wide character in the last column; no output leaves half of one.
    if (content >>> 22 === 2 && (at === this.terminal.cols - 1 || line._data[at * 3 + 3] >>> 22 !== 0)) return HALF;
    const extended = bg & EXTENDED ? this.extended({ extended: line._extendedAttrs[at] ?? { _ext: 0, urlId: 0 } }) : '';
    return `${JSON.stringify(text)} w${content >>> 22} fg=${fg.toString(16)} bg=${bg.toString(16)} ${extended}`;
  }
}

/** A colour without what xterm.js leaves of an older one behind the number of one of the palette. */
function colour(value) {
  const kind = (value >>> 24) & 3;
  return kind === 1 || kind === 2 ? (value & ~0xffff00) >>> 0 : value >>> 0;
}

function charset(table) {
  return table === undefined || table === null ? '' : JSON.stringify(table);
}

/** The names of values that differ, and both values. */
function differing(name, a, b, found) {
  if (found.length >= MOST_DIFFERENCES) return;
  if (typeof a === 'object' && a !== null && typeof b === 'object' && b !== null) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) differing(`${name}.${key}`, a[key], b[key], found);
  } else if (a !== b) found.push(`${name}: ${JSON.stringify(a)} is ${JSON.stringify(b)}`);
}

function differingLines(which, first, second, found) {
  const [a, b] = [first.lines(which), second.lines(which)];
  if (a.length !== b.length) found.push(`${which}: ${a.length} lines are ${b.length}`);
  const { cols } = first.terminal;
  for (let y = 0; y < Math.min(a.length, b.length) && found.length < MOST_DIFFERENCES; y++) {
    if (a[y].isWrapped !== b[y].isWrapped) found.push(`${which} line ${y}: wrapped ${a[y].isWrapped} is ${b[y].isWrapped}`);
    for (let x = 0; x < cols && found.length < MOST_DIFFERENCES; x++) {
      const at = x * 3;
      const content = a[y]._data[at];
      const bg = a[y]._data[at + 2];
      const same = content === b[y]._data[at] && a[y]._data[at + 1] === b[y]._data[at + 1] && bg === b[y]._data[at + 2];
      if (same && !(content & IS_COMBINED) && !(bg & EXTENDED)) continue;
      const [one, other] = [first.cell(a[y], x), second.cell(b[y], x)];
      if (one !== other && one !== HALF) found.push(`${which} line ${y} of ${a.length}, column ${x}: ${one} is ${other}`);
    }
  }
}

const oracles = new Map();
const OPERATIONS = {
  new: ({ id, ...options }) => void oracles.set(id, new Oracle(options)),
  drop: ({ ids }) => ids.forEach((id) => oracles.delete(id)),
  feed: ({ ids, data }) => ids.forEach((id) => oracles.get(id).feed(data)),
  resize: ({ ids, cols, rows }) => ids.forEach((id) => oracles.get(id).resize(cols, rows)),
  state: ({ id }) => oracles.get(id).state(),
  rows: ({ id, which }) => {
    const oracle = oracles.get(id);
    return oracle.lines(which).map((line) => Array.from({ length: oracle.terminal.cols }, (_, x) => oracle.cell(line, x)));
  },
  text: ({ id, which }) => oracles.get(id).lines(which).map((line) => [line.isWrapped, line.translateToString(true)]),
  halves: ({ id }) => {
    const oracle = oracles.get(id);
    const cells = (line) => Array.from({ length: oracle.terminal.cols }, (_, x) => oracle.cell(line, x));
    return ['normal', 'alt'].some((which) => oracle.lines(which).some((line) => cells(line).includes(HALF)));
  },
  compare: ({ id, other, links = true }) => {
    const found = [];
    const [first, second] = [oracles.get(id), oracles.get(other)];
    first.comparesLinks = second.comparesLinks = links;
    differing('', first.state(), second.state(), found);
    differingLines('normal', first, second, found);
    if (first.core.buffers.active === first.core.buffers.alt) differingLines('alt', first, second, found);
    return found;
  },
};

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const results = JSON.parse(line).map(({ op, ...rest }) => {
    try {
      return OPERATIONS[op](rest) ?? null;
    } catch (error) {
      return [`xterm.js failed: ${error.stack}`];
    }
  });
  process.stdout.write(`${JSON.stringify(results)}\n`);
});
