/**
 * Which colour stands for what; the colours themselves are in the style sheet. A terminal keeps its colour throughout.
 */

import {
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
  type SymbolType,
} from 'd3-shape';
import type { Legend } from './chart';
import type { Page, Series } from './data';
import { s } from './dom';

const COLOURS = 8;
const looks = new Map<string, string>();

/** What tells terminals apart where several dots lie close together, in the order of their colours. */
const SHAPES: readonly SymbolType[] = [symbolCircle, symbolCircle, symbolSquare, symbolTriangle, symbolDiamond, symbolStar, symbolCross, symbolWye];

/** Give every terminal of the run its colour: what is measured in order, floors in grey. */
export function assign(page: Page): void {
  let place = 0;
  for (const terminal of page.terminals) {
    if (terminal.role === 'subject') {
      looks.set(terminal.name, `c${place % COLOURS}`);
      place += 1;
    } else {
      looks.set(terminal.name, terminal.role === 'known' ? 'c-known' : 'c-floor');
    }
  }
}

/** The colour of a line that stands for no terminal, by its place among its fellows. */
export function placeLook(place: number): string {
  return `c${place % COLOURS}`;
}

export function lookOf(terminal: string, reference: '' | 'floor' | 'baseline' = ''): string {
  if (reference === 'floor') return 'c-floor';
  if (reference === 'baseline') return 'c-baseline';
  return looks.get(terminal) ?? 'c0';
}

/** The outline of `terminal`'s mark around 0, 0, of the area `size`. */
export function shapeOf(terminal: string, size: number): string {
  const place = Number(lookOf(terminal).slice(1)) || 0;
  return symbol(SHAPES[place] ?? symbolCircle, size)() ?? '';
}

/** Colour and shape of `terminal` in front of its name. */
export function terminalMark(terminal: string): SVGSVGElement {
  const icon = s('svg', { class: `terminal-mark ${lookOf(terminal)}`, width: 12, height: 12, viewBox: '-6 -6 12 12', 'aria-hidden': 'true' });
  icon.append(s('path', { d: shapeOf(terminal, 46) }));
  return icon;
}

/** The colour of `series` beside the others of its chart: one baseline is in ink, several are told by their terminal. */
export function lookIn(shown: readonly Series[], series: Series): string {
  const several = shown.filter((each) => each.reference === 'baseline').length > 1;
  return lookOf(series.terminal, series.reference === 'baseline' && several ? '' : series.reference);
}

/** What each curve is; the dashes of several baselines are named once. */
export function seriesLegend(shown: readonly Series[]): Legend[] {
  const baselines = shown.filter((series) => series.reference === 'baseline');
  const found: Legend[] = shown
    .filter((series) => series.reference !== 'baseline')
    .map((series) => ({ words: series.label, look: lookOf(series.terminal, series.reference), mark: 'line' }));
  if (baselines.length > 0) found.push({ words: 'baseline', look: 'c-baseline', mark: 'dash' });
  return found;
}

const GLYPHS: Record<string, string> = {
  pass: '✓',
  fail: '✕',
  undecided: '?',
  refused: '!',
  'not applicable': '–',
  none: '·',
};

export function glyph(verdict: string): string {
  return GLYPHS[verdict] ?? '·';
}

/** The class of a verdict. */
export function verdictLook(verdict: string): string {
  return `v-${verdict.replace(' ', '-')}`;
}
