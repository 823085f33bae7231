/** Quantities over the time of a run, each a line in a colour of its own. */

import { scaleLinear } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import { axisBelow, axisLeft, roomLeft, scaleOf, type Area, type Scale } from '../axes';
import { canvas, type Chart, type Drawing, type Stop } from '../chart';
import type { TimeSeriesChart } from '../data';
import { s } from '../dom';
import { colourAt } from '../appearance';
import { quantity } from '../units';

const HEIGHT = 220;
const LEFT = 72;
/** Width of a letter in the names of stages. */
const LETTER = 6.4;

export function timeSeriesChart(chart: TimeSeriesChart): Chart {
  return {
    title: chart.title,
    summary: chart.lines.map(({ label, y }) => `${label}: ${extent(y, chart.unit)}`).join('; '),
    note: chart.note,
    legend: chart.lines.map(({ label }, place) => ({ words: label, colour: colourAt(place), mark: 'line' })),
    draw: (width) => draw(chart, width),
  };
}

/** The range of a line, for screen readers. */
function extent(y: readonly (number | null)[], unit: string): string {
  const known = y.filter((value) => value !== null);
  if (known.length === 0) return 'nothing';
  return `${quantity(Math.min(...known), unit)} to ${quantity(Math.max(...known), unit)}`;
}

function draw(chart: TimeSeriesChart, width: number): Drawing {
  const svg = canvas(width, HEIGHT);
  const area: Area = { left: 0, right: width - 14, top: chart.stages.length > 0 ? 24 : 12, bottom: HEIGHT - 34 };
  const unit = axisUnit(chart.unit);
  const y = scaleOf(chart.scale, chart.domain, [area.bottom, area.top]);
  // The same in every chart, so that a second is at the same place in charts below each other.
  area.left = Math.max(LEFT, roomLeft(y, chart.scale, area.bottom - area.top, unit));
  const [first = 0, last = 0] = [chart.x[0], chart.x.at(-1)];
  const x = scaleLinear().domain([first, Math.max(last, first + 1)]).range([area.left + 4, area.right]);
  svg.append(axisLeft(y, chart.scale, area, unit), axisBelow(x, 'linear', area, 's'));
  svg.append(stages(chart, x, area));
  for (const [place, series] of chart.lines.entries()) {
    const colour = colourAt(place);
    const points = series.y.map((value, at): [number, number | null] => [x(chart.x[at] ?? 0), value === null ? null : y(value)]);
    const path = lineOf<[number, number | null]>(([at]) => at, ([, value]) => value ?? 0).defined(([, value]) => value !== null);
    svg.append(s('path', { class: `stroke thin ${colour}`, d: path(points) }));
    // A value between two gaps would be a line without length.
    const alone = points.filter(([, value], at) => value !== null && isGap(points[at - 1]) && isGap(points[at + 1]));
    if (alone.length > 0) svg.append(s('path', { class: `dots small ${colour}`, d: alone.map(([at, value]) => `M${at} ${value ?? 0}h0`).join('') }));
  }
  const stops: Stop[] = chart.x.map((at, place) => ({
    x: x(at),
    words: `${at} s: ${chart.lines.map(({ label, y: values }) => `${label} ${said(values[place], chart.unit)}`).join(', ')}`,
    marks: chart.lines.flatMap(({ y: values }, line) => {
      const value = values[place];
      return value === null || value === undefined ? [] : [{ y: y(value), colour: colourAt(line) }];
    }),
  }));
  return { svg, stops, top: area.top, bottom: area.bottom };
}

/** A unit that is a word is named in the title. */
const axisUnit = (unit: string): string => (/^(ns|B|%)/.test(unit) ? unit : '');

const isGap = (point: [number, number | null] | undefined): boolean => (point?.[1] ?? null) === null;

const said = (value: number | null | undefined, unit: string): string => (value === null || value === undefined ? '–' : quantity(value, unit));

/** Where each stage begins, named where there is room. */
function stages(chart: TimeSeriesChart, x: Scale, area: Area): SVGGElement {
  const group = s('g', { class: 'axis' });
  let free = area.left;
  for (const { x: at, words } of chart.stages) {
    const place = x(at);
    group.append(s('line', { class: 'divider', x1: place, x2: place, y1: area.top - 12, y2: area.bottom }));
    const room = Math.floor((area.right - Math.max(free, place)) / LETTER);
    if (place >= free && room > 3) {
      const shown = words.length > room ? `${words.slice(0, room - 1)}…` : words;
      group.append(s('text', { x: place + 4, y: area.top - 4 }, shown));
      free = place + 10 + shown.length * LETTER;
    }
  }
  return group;
}
