/** Bullet graphs: judged figures relative to their limits, on a shared axis; left of the line meets the limit. */

import { scaleLog } from 'd3-scale';
import type { BulletBar } from '../data';
import { s } from '../dom';
import { verdictClass } from '../appearance';

const WIDTH = 180;
const HEIGHT = 18;
const LEAST = 1e-4;

export interface BulletScale {
  (value: number): number;
  ticks: number[];
}

/** The axis that all of `bullets` share: from the best of them to a little beyond the limit. */
export function bulletScale(bullets: readonly BulletBar[]): BulletScale {
  const ends = bullets.flatMap(({ value, lower, upper }) => [value, lower, upper]).filter((end): end is number => end !== null);
  const low = Math.max(LEAST, Math.min(0.1, ...ends) * 0.8);
  const high = Math.max(2.5, Math.min(50, Math.max(1, ...ends) * 1.3));
  const scale = scaleLog([low, high], [2, WIDTH - 2]).clamp(true);
  const ticks = [0.0001, 0.001, 0.01, 0.1, 1, 10].filter((tick) => tick >= low && tick <= high);
  return Object.assign((value: number) => scale(value), { ticks });
}

export function bullet(of: BulletBar, verdict: string, x: BulletScale): SVGSVGElement {
  const middle = HEIGHT / 2;
  const svg = s('svg', { class: `bullet ${verdictClass(verdict)}`, width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true' });
  svg.append(s('line', { class: 'track', x1: 0, x2: WIDTH, y1: middle, y2: middle }));
  svg.append(s('line', { class: 'end', x1: x(1), x2: x(1), y1: 1, y2: HEIGHT - 1 }));
  if (of.goal !== null) svg.append(s('path', { class: 'goal', d: `M${x(of.goal)} ${HEIGHT - 5}l3.4 5h-6.8z` }));
  const [low, high] = [of.lower ?? of.value, of.upper ?? of.value];
  if (low !== null && high !== null) {
    const from = of.lower === null ? 0 : x(low);
    const to = of.upper === null ? WIDTH : x(high);
    svg.append(s('rect', { class: 'range', x: from, width: Math.max(2, to - from), y: middle - 3, height: 6, rx: 2 }));
  }
  if (of.value !== null) svg.append(s('circle', { class: 'point', cx: x(of.value), cy: middle, r: 3.2 }));
  return svg;
}

/** The axis itself, for the head of the column. */
export function bulletAxis(x: BulletScale): SVGSVGElement {
  const svg = s('svg', { class: 'bullet-axis', width: WIDTH, height: 14, viewBox: `0 0 ${WIDTH} 14`, 'aria-hidden': 'true' });
  for (const value of x.ticks) {
    const anchor = x(value) > WIDTH - 22 ? 'end' : x(value) < 18 ? 'start' : 'middle';
    svg.append(s('text', { x: anchor === 'start' ? 0 : x(value), y: 10, 'text-anchor': anchor }, value === 1 ? 'limit' : `${value * 100} %`));
  }
  return svg;
}
