/** One row of the results over earlier runs, oldest first. */

import { scalePoint } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import { axisLeft, roomLeft, scaleOf, type Area } from '../axes';
import { canvas, type Chart, type Drawing, type Stop } from '../chart';
import type { HistoryChart, HistoryPoint } from '../data';
import { s } from '../dom';
import { colourOf } from '../appearance';
import { quantity } from '../units';

const HEIGHT = 200;

export function historyChart(history: HistoryChart, unit: string): Chart | null {
  if (history.points.length < 2) return null;
  const changes = history.points.filter((point) => point.changed).length;
  return {
    title: `${history.statistic} over ${history.points.length} runs`,
    summary: history.points.map((point) => words(point, unit)).join('; '),
    note: changes > 0 ? 'A vertical line marks where a change was found.' : '',
    draw: (width) => draw(history, unit, width),
  };
}

function draw(history: HistoryChart, unit: string, width: number): Drawing {
  const svg = canvas(width, HEIGHT);
  const area: Area = { left: 0, right: width - 14, top: 14, bottom: HEIGHT - 26 };
  const ends = history.points.flatMap((point) => [point.value, point.lower ?? point.value, point.upper ?? point.value]);
  const y = scaleOf('linear', [Math.min(...ends), Math.max(...ends)], [area.bottom, area.top]);
  area.left = roomLeft(y, 'linear', area.bottom - area.top, unit);
  const scale = scalePoint(history.points.map((_, place) => place), [area.left + 8, area.right - 8]);
  const x = (place: number): number => scale(place) ?? 0;
  const colour = colourOf(history.terminal);
  svg.append(axisLeft(y, 'linear', area, unit));
  svg.append(s('line', { class: 'base', x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
  const edge = lineOf<HistoryPoint>((_, place) => x(place), (point) => y(point.value));
  svg.append(s('path', { class: `stroke thin ${colour}`, d: edge(history.points) }));
  const stops: Stop[] = [];
  for (const [place, point] of history.points.entries()) {
    const at = x(place);
    if (point.changed) svg.append(s('line', { class: 'k-limit limit', x1: at, x2: at, y1: area.top, y2: area.bottom }));
    if (point.lower !== null && point.upper !== null) {
      svg.append(s('line', { class: `whisker ${colour}`, x1: at, x2: at, y1: y(point.lower), y2: y(point.upper) }));
    }
    svg.append(s('circle', { class: `full ${colour}`, cx: at, cy: y(point.value), r: 3.5 }));
    stops.push({ x: at, words: words(point, unit), marks: [{ y: y(point.value), colour }] });
  }
  for (const [place, anchor] of [[0, 'start'], [history.points.length - 1, 'end']] as const) {
    svg.append(s('text', { class: 'axis-name', x: x(place), y: area.bottom + 17, 'text-anchor': anchor }, history.points[place]?.started ?? ''));
  }
  return { svg, stops, top: area.top, bottom: area.bottom };
}

function words(point: HistoryPoint, unit: string): string {
  return `${point.started}: ${quantity(point.value, unit)}${point.note === '' ? '' : `, ${point.note}`}`;
}
