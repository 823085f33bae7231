/** A forest plot: the ratio of each terminal to the first, with its interval, a row for each highlight. */

import { scaleLog } from 'd3-scale';
import { axisBelow, ticksOf, type Area, type Scale } from '../axes';
import { canvas, type Chart, type Drawing, type Stop } from '../chart';
import type { ComparisonSection, ComparedFigure, ComparisonHighlight, RatioInterval } from '../data';
import { s } from '../dom';
import { colourOf, shapeOf } from '../appearance';

const LANE = 11;
const AIR = 8;
const HEAD = 24;
const FOOT = 26;
/** A row has at least the height of its two lines of words. */
const LEAST = 42;
/** Where the dots have at least this width the names are next to them, else above. */
const WIDE = 340;
const LETTER = 7.6;
const GAP = 22;
/** Room of the numbers at the ends of the axis. */
const EDGE = 12;
const ABOVE = 20;
const SIZE = 46;
/** How far beyond the outermost dot an interval is drawn, as a factor. */
const REACH = 1.8;

const SIDES = { ahead: 'better', behind: 'worse' } as const;

interface Mark {
  terminal: string;
  figure: ComparedFigure;
  place: RatioInterval;
}

interface ForestRow {
  short: ComparisonHighlight;
  /** The first terminal's figure. */
  against: string;
  marks: Mark[];
}

export function forestChart(comparison: ComparisonSection, level: string): Chart | null {
  const [first = '', ...others] = comparison.terminals.map((each) => each.name);
  const rows = comparison.highlights.map((short) => row(comparison, short, others)).filter((each) => each.marks.length > 0);
  if (rows.length === 0) return null;
  const inverted = rows.some((each) => each.short.inverted) ? ' Where more is better, the ratio is inverted.' : '';
  return {
    title: `Ratio to ${first}’s figure, with its ${level} interval`,
    summary: rows.map((each) => each.marks.map((mark) => words(each, mark)).join('; ')).join('; '),
    rest: 'Point at a mark to read it, or move from mark to mark with the arrow keys.',
    note: `Filled: the interval excludes 1. Hollow: the difference is not significant. Arrow: the interval continues.${inverted}`,
    legend: others.map((name) => ({ words: name, colour: colourOf(name), mark: 'shape', outline: shapeOf(name, SIZE) })),
    draw: (width) => draw(rows, first, others.length === 1 ? (others[0] ?? '') : 'the other', width),
  };
}

function row(comparison: ComparisonSection, short: ComparisonHighlight, others: readonly string[]): ForestRow {
  const figures = comparison.lines[short.line]?.figures ?? [];
  const marks = others.flatMap((terminal, place): Mark[] => {
    const [figure, at] = [figures[place + 1], short.ratios[place]];
    return figure && at ? [{ terminal, figure, place: at }] : [];
  });
  return { short, against: figures[0]?.value ?? '', marks };
}

function words({ short }: ForestRow, { terminal, figure }: Mark): string {
  const side = figure.side === undefined ? 'not significantly different' : SIDES[figure.side];
  return `${short.words}: ${terminal} ${figure.value ?? ''}, ${figure.ratio ?? ''} (${figure.interval ?? ''}), ${side}`;
}

function draw(rows: readonly ForestRow[], first: string, other: string, width: number): Drawing {
  const names = Math.max(...rows.map(({ short, against }) => Math.max(short.words.length, `${first} ${against}`.length * 0.9))) * LETTER + GAP;
  const wide = width - names >= WIDE;
  const left = wide ? names : EDGE;
  const heights = rows.map(({ marks }) => (wide ? Math.max(LEAST, marks.length * LANE + 2 * AIR) : ABOVE + marks.length * LANE + AIR));
  const area: Area = { left, right: width - EDGE, top: HEAD, bottom: HEAD + heights.reduce((sum, each) => sum + each, 0) };
  const svg = canvas(width, area.bottom + FOOT);
  const x = scale(rows, area);
  svg.append(sides(first, other, x(1), area), axisBelow(x, 'log', area, 'x'));
  if (wide) svg.append(ground(x, area));
  const stops: Stop[] = [];
  let top = area.top;
  for (const [at, each] of rows.entries()) {
    const height = heights[at] ?? LEAST;
    if (at > 0 && wide) svg.append(s('line', { class: 'divider', x1: 0, x2: area.right, y1: top, y2: top }));
    const from = wide ? top + (height - each.marks.length * LANE) / 2 : top + ABOVE + AIR / 2;
    // Names above the dots have no background.
    if (!wide) svg.append(ground(x, { ...area, top: top + ABOVE, bottom: top + height }));
    svg.append(...name(each, first, wide ? { x: left - GAP, y: top + height / 2, aside: true } : { x: width, y: top + 14, aside: false }));
    for (const [lane, mark] of each.marks.entries()) {
      const y = from + (lane + 0.5) * LANE;
      svg.append(interval(mark, y, x, area), dot(mark, y, x));
      stops.push({ x: x(mark.place[0]), y, words: words(each, mark), marks: [{ y, colour: colourOf(mark.terminal) }] });
    }
    top += height;
  }
  return { svg, stops, top: area.top, bottom: area.bottom };
}

/** As wide as the dots, and as much of the intervals as fits. */
function scale(rows: readonly ForestRow[], area: Area): Scale {
  const places = rows.flatMap(({ marks }) => marks.map(({ place }) => place));
  const values = places.map(([value]) => value);
  const [least, most] = [Math.min(0.8, ...values), Math.max(1.25, ...values)];
  const low = Math.max(least / REACH, Math.min(least, ...places.map(([, lower]) => lower ?? 0)));
  const high = Math.min(most * REACH, Math.max(most, ...places.map(([, , upper]) => upper ?? Infinity)));
  return scaleLog([low / 1.06, high * 1.06], [area.left, area.right]);
}

/** The side where the first is better, the line at 1, and hairlines at the numbers of the axis. */
function ground(x: Scale, area: Area): SVGGElement {
  const [group, one] = [s('g'), x(1)];
  const [y1, y2] = [area.top, area.bottom];
  group.append(s('rect', { class: 'half', x: one, width: area.right - one, y: y1, height: y2 - y1 }));
  for (const value of ticksOf(x, 'log', Math.max(2, Math.floor((area.right - area.left) / 72)))) {
    group.append(s('line', { class: 'grid', x1: x(value), x2: x(value), y1, y2 }));
  }
  group.append(s('line', { class: 'one', x1: one, x2: one, y1, y2 }));
  return group;
}

/** Which terminal is better on which side of 1. */
function sides(first: string, other: string, one: number, area: Area): SVGGElement {
  const group = s('g', { class: 'sides' });
  const texts = [`◂ ${other} better`, `${first} better ▸`] as const;
  // Where there is no room next to the line, the texts are at the ends.
  const fits = [one - area.left, area.right - one].every((room, side) => room > (texts[side] ?? '').length * 6.6 + 8);
  const [to, from] = fits ? [one - 8, one + 8] : [area.left, area.right];
  group.append(
    s('text', { x: to, y: area.top - 10, 'text-anchor': fits ? 'end' : 'start' }, texts[0]),
    s('text', { x: from, y: area.top - 10, 'text-anchor': fits ? 'start' : 'end' }, texts[1]),
  );
  return group;
}

/** The name of a row and the reference figure: next to the row where there is room, else above it. */
function name({ short, against }: ForestRow, first: string, at: { x: number; y: number; aside: boolean }): SVGElement[] {
  if (!at.aside) {
    return [
      s('text', { class: 'row-name', x: 0, y: at.y }, short.words),
      s('text', { class: 'row-value', x: at.x, y: at.y, 'text-anchor': 'end' }, against),
    ];
  }
  return [
    s('text', { class: 'row-name', x: at.x, y: at.y - 3, 'text-anchor': 'end' }, short.words),
    s('text', { class: 'row-value', x: at.x, y: at.y + 14, 'text-anchor': 'end' }, `${first} ${against}`),
  ];
}

function interval({ terminal, place }: Mark, y: number, x: Scale, area: Area): SVGGElement {
  const [, lower, upper] = place;
  const [from, to] = [lower === null ? -Infinity : x(lower), upper === null ? Infinity : x(upper)];
  const group = s('g', { class: colourOf(terminal) });
  group.append(s('line', { class: 'whisker', x1: Math.max(area.left, from), x2: Math.min(area.right, to), y1: y, y2: y }));
  if (from < area.left) group.append(s('path', { class: 'full', d: `M${area.left - 3} ${y}l6 -3v6z` }));
  if (to > area.right) group.append(s('path', { class: 'full', d: `M${area.right + 3} ${y}l-6 -3v6z` }));
  return group;
}

function dot({ terminal, figure, place }: Mark, y: number, x: Scale): SVGPathElement {
  const sure = figure.side !== undefined;
  return s('path', { class: `${sure ? 'full' : 'ring'} ${colourOf(terminal)}`, d: shapeOf(terminal, sure ? SIZE : SIZE * 0.8), transform: `translate(${x(place[0])} ${y})` });
}
