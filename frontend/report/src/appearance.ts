/**
 * Colours, shapes and signs; the colours themselves are in the style sheet. A terminal keeps its colour throughout.
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
import type { ReportPage, SampleCurves } from './data';
import { s } from './dom';

const COLOURS = 8;
const colours = new Map<string, string>();

/** Shapes that distinguish terminals where several dots are close together, in the order of their colours. */
const SHAPES: readonly SymbolType[] = [symbolCircle, symbolCircle, symbolSquare, symbolTriangle, symbolDiamond, symbolStar, symbolCross, symbolWye];

/** Give every terminal of the run its colour: measured ones in order, floors in grey. */
export function assign(page: ReportPage): void {
  let place = 0;
  for (const terminal of page.terminals) {
    if (terminal.role === 'subject') {
      colours.set(terminal.name, `c${place % COLOURS}`);
      place += 1;
    } else {
      colours.set(terminal.name, terminal.role === 'known' ? 'c-known' : 'c-floor');
    }
  }
}

/** The colour of a line that belongs to no terminal, by its place in the chart. */
export function colourAt(place: number): string {
  return `c${place % COLOURS}`;
}

export function colourOf(terminal: string, reference: '' | 'floor' | 'baseline' = ''): string {
  if (reference === 'floor') return 'c-floor';
  if (reference === 'baseline') return 'c-baseline';
  return colours.get(terminal) ?? 'c0';
}

/** The outline of `terminal`'s mark around 0, 0, of the area `size`. */
export function shapeOf(terminal: string, size: number): string {
  const place = Number(colourOf(terminal).slice(1)) || 0;
  return symbol(SHAPES[place] ?? symbolCircle, size)() ?? '';
}

/** Colour and shape of `terminal`, for the front of its name. */
export function terminalMark(terminal: string): SVGSVGElement {
  const icon = s('svg', { class: `terminal-mark ${colourOf(terminal)}`, width: 12, height: 12, viewBox: '-6 -6 12 12', 'aria-hidden': 'true' });
  icon.append(s('path', { d: shapeOf(terminal, 46) }));
  return icon;
}

/** The colour of `series` in its chart: one baseline is in ink, several have the colours of their terminals. */
export function colourIn(shown: readonly SampleCurves[], series: SampleCurves): string {
  const several = shown.filter((each) => each.reference === 'baseline').length > 1;
  return colourOf(series.terminal, series.reference === 'baseline' && several ? '' : series.reference);
}

/** A legend of curves, in which several baselines have one entry. */
export function seriesLegend(shown: readonly SampleCurves[]): Legend[] {
  const baselines = shown.filter((series) => series.reference === 'baseline');
  const found: Legend[] = shown
    .filter((series) => series.reference !== 'baseline')
    .map((series) => ({ words: series.label, colour: colourOf(series.terminal, series.reference), mark: 'line' }));
  if (baselines.length > 0) found.push({ words: 'baseline', colour: 'c-baseline', mark: 'dash' });
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
export function verdictClass(verdict: string): string {
  return `v-${verdict.replace(' ', '-')}`;
}
