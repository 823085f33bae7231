/** Where the time goes: the steps of an operation one after the other, a bar for each terminal. */

import { scaleLinear } from 'd3-scale';
import { axisBelow, ticksOf, type Area } from '../axes';
import { canvas, type Chart, type Drawing, type Stop } from '../chart';
import type { WaterfallChart, WaterfallRow } from '../data';
import { s } from '../dom';
import { colourAt } from '../appearance';
import { quantity } from '../units';

const ROW = 46;
const BAR = 18;
/** Shorter segments are not labelled. */
const ROOM = 60;

export function waterfallChart(chart: WaterfallChart): Chart {
  return {
    title: chart.title,
    summary: chart.rows.map((row) => `${row.label}: ${said(chart, row)}`).join('; '),
    note: chart.note,
    legend: chart.steps.map((words, place) => ({ words, colour: colourAt(place), mark: 'shape', outline: 'M-8-4h16v8h-16z' })),
    draw: (width) => draw(chart, width),
  };
}

const whole = (row: WaterfallRow): number => row.segments.reduce((sum, each) => sum + each, 0);

/** A row in words: its whole, and each of its segments. */
function said(chart: WaterfallChart, row: WaterfallRow): string {
  const parts = chart.steps.flatMap((step, place) => {
    const value = row.segments[place] ?? 0;
    return value > 0 ? [`${step} ${quantity(value, chart.unit)}`] : [];
  });
  return `${quantity(whole(row), chart.unit)} (${parts.join(', ')})`;
}

function draw(chart: WaterfallChart, width: number): Drawing {
  const height = chart.rows.length * ROW + 34;
  const svg = canvas(width, height);
  const area: Area = { left: 4, right: width - 76, top: 4, bottom: height - 28 };
  const x = scaleLinear([0, Math.max(1, ...chart.rows.map(whole))], [area.left, area.right]);
  for (const value of ticksOf(x, 'linear', Math.max(2, Math.floor((area.right - area.left) / 80)))) {
    svg.append(s('line', { class: 'grid', x1: x(value), x2: x(value), y1: area.top, y2: area.bottom }));
  }
  svg.append(axisBelow(x, 'linear', area, chart.unit));
  const stops: Stop[] = [];
  for (const [place, row] of chart.rows.entries()) {
    const top = area.top + ROW * place + 20;
    svg.append(s('text', { class: 'row-name', x: area.left, y: top - 6 }, row.label));
    let from = 0;
    for (const [step, value] of row.segments.entries()) {
      if (value <= 0) continue;
      const [left, right] = [x(from), x(from + value)];
      svg.append(s('rect', { class: `segment ${colourAt(step)}`, x: left, y: top, width: Math.max(1, right - left), height: BAR }));
      if (right - left > ROOM) svg.append(s('text', { class: 'segment-value', x: (left + right) / 2, y: top + BAR / 2 + 4, 'text-anchor': 'middle' }, quantity(value, chart.unit)));
      from += value;
    }
    svg.append(s('text', { class: 'row-total', x: x(from) + 8, y: top + BAR / 2 + 4 }, quantity(from, chart.unit)));
    stops.push({ x: (x(0) + x(from)) / 2, y: top + BAR / 2, words: `${row.label}: ${said(chart, row)}`, marks: [] });
  }
  return { svg, stops, top: area.top, bottom: area.bottom };
}
