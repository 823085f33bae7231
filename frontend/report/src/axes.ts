/**
 * Scales and axes: few ticks, hairlines, units on every number.
 */

import { scaleLinear, scaleLog, type ScaleContinuousNumeric } from 'd3-scale';
import type { ScaleKind } from './data';
import { s } from './dom';
import { tick } from './units';

export type Scale = ScaleContinuousNumeric<number, number>;

export interface Area {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Room next to the area of every chart for half a number. */
const EDGE = 4;

/** A scale over `domain` with a little air at both ends. */
export function scaleOf(kind: ScaleKind, domain: readonly [number, number], range: [number, number]): Scale {
  const [low, high] = domain;
  if (kind === 'log' && low > 0) {
    const air = (high / low) ** 0.04;
    return scaleLog().domain([low / air, high * air]).range(range);
  }
  const air = (high - low || Math.abs(high) || 1) * 0.05;
  return scaleLinear()
    .domain([low >= 0 ? Math.max(0, low - air) : low - air, high + air])
    .range(range);
}

/** At most about `most` round values of `scale`; on a log scale decades first, then their 2 and 5. */
export function ticksOf(scale: Scale, kind: ScaleKind, most: number): number[] {
  const [low = 0, high = 1] = scale.domain();
  if (kind !== 'log' || low <= 0) return scale.ticks(most);
  const found = (steps: readonly number[]): number[] => {
    const values: number[] = [];
    for (let decade = Math.floor(Math.log10(low)); decade <= Math.log10(high); decade += 1) {
      for (const each of steps) {
        const value = each * 10 ** decade;
        if (value >= low && value <= high) values.push(value);
      }
    }
    return values;
  };
  for (const steps of [[1, 2, 5], [1, 3], [1]] as const) {
    const values = found(steps);
    if (values.length <= most && values.length >= 2) return values;
  }
  const decades = found([1]);
  const every = Math.ceil(decades.length / most);
  return decades.length >= 2 ? decades.filter((_, place) => place % every === 0) : scale.ticks(Math.min(3, most));
}

/** The axis below `area`. */
export function axisBelow(scale: Scale, kind: ScaleKind, area: Area, unit: string): SVGGElement {
  const most = Math.max(2, Math.floor((area.right - area.left) / 72));
  const group = s('g', { class: 'axis' });
  group.append(s('line', { class: 'base', x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
  for (const value of ticksOf(scale, kind, most)) {
    const x = scale(value);
    const words = tick(value, unit);
    const half = words.length * 3.4;
    // A number at the very edge stands inside, not across it.
    const inside = Math.max(area.left - EDGE + half, Math.min(area.right + EDGE - half, x));
    group.append(
      s('line', { class: 'notch', x1: x, x2: x, y1: area.bottom, y2: area.bottom + 4 }),
      s('text', { x: inside, y: area.bottom + 17, 'text-anchor': 'middle' }, words),
    );
  }
  return group;
}

/** Room that the axis at the left needs for its longest number. */
export function roomLeft(scale: Scale, kind: ScaleKind, height: number, unit: string): number {
  const labels = ticksOf(scale, kind, rows(height)).map((value) => tick(value, unit).length);
  return Math.max(34, Math.max(0, ...labels) * 6.7 + 14);
}

const rows = (height: number): number => Math.max(2, Math.floor(height / 34));

/** The axis at the left of `area`, with hairlines across. */
export function axisLeft(scale: Scale, kind: ScaleKind, area: Area, unit: string): SVGGElement {
  const most = rows(area.bottom - area.top);
  const group = s('g', { class: 'axis' });
  for (const value of ticksOf(scale, kind, most)) {
    const y = scale(value);
    group.append(
      s('line', { class: 'grid', x1: area.left, x2: area.right, y1: y, y2: y }),
      s('text', { x: area.left - 8, y: y + 4, 'text-anchor': 'end' }, tick(value, unit)),
    );
  }
  return group;
}
