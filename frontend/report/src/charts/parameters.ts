/** Statistics over the parameter, with their intervals. */

import { scaleLinear, scalePoint } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import { axisLeft, roomLeft, scaleOf, type Area } from '../axes';
import { canvas, type Chart, type Drawing, type Legend, type Stop } from '../chart';
import type { ParameterPoint, ParameterChart } from '../data';
import { s } from '../dom';
import { colourOf } from '../appearance';

const HEIGHT = 260;

export function parametersChart(chart: ParameterChart, level: string): Chart {
  const several = new Set(chart.lines.map((line) => line.terminal)).size > 1;
  const legend: Legend[] = chart.lines.map((line) => ({
    words: several ? `${line.terminal}, ${line.label}` : line.label,
    colour: colourOf(line.terminal),
    mark: isUpper(line.label) ? 'ring' : 'dot',
  }));
  const name = `${chart.title.charAt(0).toUpperCase()}${chart.title.slice(1)}`;
  const title = chart.unit === 'ns' && chart.title !== 'latency' ? `Latency ${chart.title}` : name;
  return {
    title: axisUnit(chart.unit) === '' && chart.unit !== '' ? `${title}, ${chart.unit}, by parameter` : `${title} by parameter`,
    summary: chart.lines.flatMap((line) => line.points.map((point) => point.words)).join('; '),
    note: `Bars are ${level} intervals.`,
    legend,
    draw: (width) => draw(chart, width),
  };
}

/** A unit with a long name stands once, in the title. */
const axisUnit = (unit: string): string => (/^(ns|B)\b/.test(unit) ? unit : '');

const isUpper = (label: string): boolean => label === 'p95';

function draw(chart: ParameterChart, width: number): Drawing {
  const svg = canvas(width, HEIGHT);
  const area: Area = { left: 0, right: width - 20, top: 14, bottom: HEIGHT - 26 };
  const points = chart.lines.flatMap((line) => line.points);
  const parameters = [...new Map(points.map((point) => [point.parameter, point.x])).entries()].sort(([, one], [, other]) => (one ?? 0) - (other ?? 0));
  const ends = points.flatMap((point) => [point.value, point.lower ?? point.value, point.upper ?? point.value]);
  const y = scaleOf(chart.y_scale, [Math.min(...ends), Math.max(...ends)], [area.bottom, area.top]);
  area.left = roomLeft(y, chart.y_scale, area.bottom - area.top, axisUnit(chart.unit));
  const x = placer(chart, parameters.map(([name]) => name), parameters.map(([, at]) => at ?? 0), area);
  svg.append(axisLeft(y, chart.y_scale, area, axisUnit(chart.unit)), axis(parameters.map(([name]) => name), x, area));
  const shift = (place: number): number => (place - (chart.lines.length - 1) / 2) * Math.min(5, 20 / chart.lines.length);
  const byParameter = new Map<string, Stop & { marks: { y: number; colour: string }[] }>();
  for (const [place, line] of chart.lines.entries()) {
    const colour = colourOf(line.terminal);
    const at = (point: ParameterPoint): number => x(point.parameter) + shift(place);
    const ordered = [...line.points].sort((one, other) => at(one) - at(other));
    const edge = lineOf<ParameterPoint>(at, (point) => y(point.value));
    // Between words there is nothing, so only numbers are joined.
    if (chart.x_scale !== '') svg.append(s('path', { class: `stroke thin ${colour}`, d: edge(ordered) }));
    for (const point of ordered) {
      if (point.lower !== null && point.upper !== null) {
        svg.append(s('line', { class: `whisker ${colour}`, x1: at(point), x2: at(point), y1: y(point.lower), y2: y(point.upper) }));
      }
      svg.append(s('circle', { class: `${isUpper(line.label) ? 'ring' : 'full'} ${colour}`, cx: at(point), cy: y(point.value), r: 4 }));
      const stop = byParameter.get(point.parameter) ?? { x: x(point.parameter), words: '', marks: [] };
      byParameter.set(point.parameter, { ...stop, words: stop.words === '' ? point.words : `${stop.words} · ${point.words}` });
    }
  }
  const stops = [...byParameter.values()].sort((one, other) => one.x - other.x);
  return { svg, stops, top: area.top, bottom: area.bottom };
}

function placer(chart: ParameterChart, names: string[], numbers: number[], area: Area): (name: string) => number {
  const range: [number, number] = [area.left + 18, area.right - 18];
  if (chart.x_scale === '') {
    const scale = scalePoint(names, range).padding(0.5);
    return (name) => scale(name) ?? 0;
  }
  const ends: [number, number] = [Math.min(...numbers), Math.max(...numbers)];
  const log = chart.x_scale === 'log';
  const scale = scaleLinear(log ? [Math.log10(ends[0]), Math.log10(ends[1])] : ends, range);
  const places = new Map(names.map((name, place) => [name, numbers[place] ?? 0]));
  return (name) => scale(log ? Math.log10(places.get(name) ?? 1) : (places.get(name) ?? 0));
}

function axis(names: readonly string[], x: (name: string) => number, area: Area): SVGGElement {
  const group = s('g', { class: 'axis' });
  group.append(s('line', { class: 'base', x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
  let free = -Infinity;
  for (const name of names) {
    const at = x(name);
    const half = (name.length * 6.6) / 2 + 3;
    group.append(s('line', { class: 'notch', x1: at, x2: at, y1: area.bottom, y2: area.bottom + 4 }));
    if (at - half < free) continue;
    group.append(s('text', { x: at, y: area.bottom + 17, 'text-anchor': 'middle' }, name));
    free = at + half;
  }
  return group;
}
