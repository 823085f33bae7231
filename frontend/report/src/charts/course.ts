/** Quantities over the time of a run, each a line in a colour of its own. */

import { scaleLinear } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import { axisBelow, axisLeft, roomLeft, scaleOf, type Area, type Scale } from '../axes';
import { canvas, type Chart, type Drawing, type Stop } from '../chart';
import type { Courses } from '../data';
import { s } from '../dom';
import { placeLook } from '../looks';
import { quantity } from '../units';

const HEIGHT = 220;
const LEFT = 72;
/** Of a letter of the names at borders. */
const LETTER = 6.4;

export function courseChart(courses: Courses): Chart {
  return {
    title: courses.title,
    summary: courses.courses.map(({ label, y }) => `${label}: ${extent(y, courses.unit)}`).join('; '),
    note: courses.note,
    legend: courses.courses.map(({ label }, place) => ({ words: label, look: placeLook(place), mark: 'line' })),
    draw: (width) => draw(courses, width),
  };
}

/** From where to where a line goes, for those who do not see it. */
function extent(y: readonly (number | null)[], unit: string): string {
  const known = y.filter((value) => value !== null);
  if (known.length === 0) return 'nothing';
  return `${quantity(Math.min(...known), unit)} to ${quantity(Math.max(...known), unit)}`;
}

function draw(courses: Courses, width: number): Drawing {
  const svg = canvas(width, HEIGHT);
  const area: Area = { left: 0, right: width - 14, top: courses.borders.length > 0 ? 24 : 12, bottom: HEIGHT - 34 };
  const unit = axisUnit(courses.unit);
  const y = scaleOf(courses.scale, courses.domain, [area.bottom, area.top]);
  // As much in every chart, so that a second has one place in all that lie below each other.
  area.left = Math.max(LEFT, roomLeft(y, courses.scale, area.bottom - area.top, unit));
  const [first = 0, last = 0] = [courses.x[0], courses.x.at(-1)];
  const x = scaleLinear().domain([first, Math.max(last, first + 1)]).range([area.left + 4, area.right]);
  svg.append(axisLeft(y, courses.scale, area, unit), axisBelow(x, 'linear', area, 's'));
  svg.append(borders(courses, x, area));
  for (const [place, course] of courses.courses.entries()) {
    const look = placeLook(place);
    const points = course.y.map((value, at): [number, number | null] => [x(courses.x[at] ?? 0), value === null ? null : y(value)]);
    const path = lineOf<[number, number | null]>(([at]) => at, ([, value]) => value ?? 0).defined(([, value]) => value !== null);
    svg.append(s('path', { class: `stroke thin ${look}`, d: path(points) }));
    // A value between two gaps would be a line without length.
    const alone = points.filter(([, value], at) => value !== null && isGap(points[at - 1]) && isGap(points[at + 1]));
    if (alone.length > 0) svg.append(s('path', { class: `dots small ${look}`, d: alone.map(([at, value]) => `M${at} ${value ?? 0}h0`).join('') }));
  }
  const stops: Stop[] = courses.x.map((at, place) => ({
    x: x(at),
    words: `${at} s: ${courses.courses.map(({ label, y: values }) => `${label} ${said(values[place], courses.unit)}`).join(', ')}`,
    marks: courses.courses.flatMap(({ y: values }, line) => {
      const value = values[place];
      return value === null || value === undefined ? [] : [{ y: y(value), look: placeLook(line) }];
    }),
  }));
  return { svg, stops, top: area.top, bottom: area.bottom };
}

/** A unit that is a word is named by the title. */
const axisUnit = (unit: string): string => (/^(ns|B|%)/.test(unit) ? unit : '');

const isGap = (point: [number, number | null] | undefined): boolean => (point?.[1] ?? null) === null;

const said = (value: number | null | undefined, unit: string): string => (value === null || value === undefined ? '–' : quantity(value, unit));

/** Where each part begins, named as far as there is room. */
function borders(courses: Courses, x: Scale, area: Area): SVGGElement {
  const group = s('g', { class: 'axis' });
  let free = area.left;
  for (const { x: at, words } of courses.borders) {
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
