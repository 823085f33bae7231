/** Statistics over the parameter, with their intervals. */

import { scaleLinear, scalePoint } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import { axisLeft, roomLeft, scaleOf, type Area } from '../axes';
import { canvas, type Chart, type Drawing, type Legend, type Stop } from '../chart';
import type { Dot, Lines } from '../data';
import { s } from '../dom';
import { lookOf } from '../looks';

const HEIGHT = 260;

export function parametersChart(lines: Lines, level: string): Chart {
  const several = new Set(lines.strands.map((strand) => strand.terminal)).size > 1;
  const legend: Legend[] = lines.strands.map((strand) => ({
    words: several ? `${strand.terminal}, ${strand.label}` : strand.label,
    look: lookOf(strand.terminal),
    mark: isUpper(strand.label) ? 'ring' : 'dot',
  }));
  const name = `${lines.title.charAt(0).toUpperCase()}${lines.title.slice(1)}`;
  const title = lines.unit === 'ns' && lines.title !== 'latency' ? `Latency ${lines.title}` : name;
  return {
    title: axisUnit(lines.unit) === '' && lines.unit !== '' ? `${title}, ${lines.unit}, by parameter` : `${title} by parameter`,
    summary: lines.strands.flatMap((strand) => strand.dots.map((dot) => dot.words)).join('; '),
    note: `Bars are ${level} intervals.`,
    legend,
    draw: (width) => draw(lines, width),
  };
}

/** A unit with a long name stands once, in the title. */
const axisUnit = (unit: string): string => (/^(ns|B)\b/.test(unit) ? unit : '');

const isUpper = (label: string): boolean => label === 'p95';

function draw(lines: Lines, width: number): Drawing {
  const svg = canvas(width, HEIGHT);
  const area: Area = { left: 0, right: width - 20, top: 14, bottom: HEIGHT - 26 };
  const dots = lines.strands.flatMap((strand) => strand.dots);
  const parameters = [...new Map(dots.map((dot) => [dot.parameter, dot.x])).entries()].sort(([, one], [, other]) => (one ?? 0) - (other ?? 0));
  const ends = dots.flatMap((dot) => [dot.value, dot.lower ?? dot.value, dot.upper ?? dot.value]);
  const y = scaleOf(lines.y_scale, [Math.min(...ends), Math.max(...ends)], [area.bottom, area.top]);
  area.left = roomLeft(y, lines.y_scale, area.bottom - area.top, axisUnit(lines.unit));
  const x = placer(lines, parameters.map(([name]) => name), parameters.map(([, at]) => at ?? 0), area);
  svg.append(axisLeft(y, lines.y_scale, area, axisUnit(lines.unit)), axis(parameters.map(([name]) => name), x, area));
  const shift = (place: number): number => (place - (lines.strands.length - 1) / 2) * Math.min(5, 20 / lines.strands.length);
  const byParameter = new Map<string, Stop & { marks: { y: number; look: string }[] }>();
  for (const [place, strand] of lines.strands.entries()) {
    const look = lookOf(strand.terminal);
    const at = (dot: Dot): number => x(dot.parameter) + shift(place);
    const ordered = [...strand.dots].sort((one, other) => at(one) - at(other));
    const edge = lineOf<Dot>(at, (dot) => y(dot.value));
    // Between words there is nothing, so only numbers are joined.
    if (lines.x_scale !== '') svg.append(s('path', { class: `stroke thin ${look}`, d: edge(ordered) }));
    for (const dot of ordered) {
      if (dot.lower !== null && dot.upper !== null) {
        svg.append(s('line', { class: `whisker ${look}`, x1: at(dot), x2: at(dot), y1: y(dot.lower), y2: y(dot.upper) }));
      }
      svg.append(s('circle', { class: `${isUpper(strand.label) ? 'ring' : 'full'} ${look}`, cx: at(dot), cy: y(dot.value), r: 4 }));
      const stop = byParameter.get(dot.parameter) ?? { x: x(dot.parameter), words: '', marks: [] };
      byParameter.set(dot.parameter, { ...stop, words: stop.words === '' ? dot.words : `${stop.words} · ${dot.words}` });
    }
  }
  const stops = [...byParameter.values()].sort((one, other) => one.x - other.x);
  return { svg, stops, top: area.top, bottom: area.bottom };
}

function placer(lines: Lines, names: string[], numbers: number[], area: Area): (name: string) => number {
  const range: [number, number] = [area.left + 18, area.right - 18];
  if (lines.x_scale === '') {
    const scale = scalePoint(names, range).padding(0.5);
    return (name) => scale(name) ?? 0;
  }
  const ends: [number, number] = [Math.min(...numbers), Math.max(...numbers)];
  const log = lines.x_scale === 'log';
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
