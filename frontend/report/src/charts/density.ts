/** Probability density, with statistics as lines and outliers as dots below. */

import { area as areaOf, curveMonotoneX, line as lineOf } from 'd3-shape';
import { axisBelow, scaleOf } from '../axes';
import { canvas, type Chart, type Drawing, type Legend, type Stop } from '../chart';
import { WARM_UP, type MetricPanel, type SampleCurves } from '../data';
import { s } from '../dom';
import { colourIn, colourOf, seriesLegend } from '../appearance';
import { quantity } from '../units';
import { scaleLinear } from 'd3-scale';

const HEIGHT = 260;
const STRIP = 16;

export function densityChart(panel: MetricPanel): Chart | null {
  const { domain } = panel;
  const shown = panel.series.filter((series) => series.density !== null);
  if (domain === null || shown.length === 0) return null;
  const own = shown.filter((series) => series.reference === '');
  const limit = panel.limit;
  const far = limit !== null && (limit < domain[0] || limit > domain[1]);
  return {
    title: 'Probability density',
    summary: own.map((series) => `${series.label}: ${lineWords(series, panel.unit)}`).join('; '),
    note: far ? `The target, ${panel.limit_words}, is off this chart.` : '',
    legend: legend(shown, own, limit !== null && !far),
    draw: (width) => draw(panel, shown, own, domain, far ? null : limit, width),
  };
}

function lineWords(series: SampleCurves, unit: string): string {
  const found = Object.entries(series.lines).map(([name, value]) => `${name} ${quantity(value, unit)}`);
  return found.join(', ');
}

function legend(shown: readonly SampleCurves[], own: readonly SampleCurves[], limited: boolean): Legend[] {
  const keys = seriesLegend(shown);
  const has = (size: number): boolean =>
    own.some((series) => series.samples?.label.some((label) => label !== WARM_UP && Math.abs(label) === size) ?? false);
  if (has(1)) keys.push({ words: 'mild outlier', colour: 'o-mild', mark: 'dot' });
  if (has(2)) keys.push({ words: 'severe outlier', colour: 'o-severe', mark: 'dot' });
  if (limited) keys.push({ words: 'target', colour: 'k-limit', mark: 'dash' });
  return keys;
}

function draw(
  panel: MetricPanel,
  shown: readonly SampleCurves[],
  own: readonly SampleCurves[],
  domain: [number, number],
  limit: number | null,
  width: number,
): Drawing {
  const svg = canvas(width, HEIGHT);
  const strips = own.length * STRIP;
  const area = { left: 4, right: width - 4, top: 26, bottom: HEIGHT - 26 - strips };
  const axis = { ...area, bottom: HEIGHT - 26 };
  const x = scaleOf(panel.scale, domain, [area.left, area.right]);
  const highest = Math.max(...shown.flatMap((series) => series.density?.y ?? []));
  const y = scaleLinear().domain([0, highest]).range([area.bottom, area.top]);
  svg.append(axisBelow(x, panel.scale, axis, panel.unit));
  for (const series of [...shown].reverse()) {
    const colour = colourIn(shown, series);
    const inside = points(series, x.domain());
    const shape = areaOf<[number, number]>((point) => x(point[0]), area.bottom, (point) => y(point[1])).curve(curveMonotoneX);
    const edge = lineOf<[number, number]>((point) => x(point[0]), (point) => y(point[1])).curve(curveMonotoneX);
    if (series.reference === '') svg.append(s('path', { class: `fill ${colour}`, d: shape(inside) }));
    svg.append(s('path', { class: `stroke ${colour}${series.reference === 'baseline' ? ' dashed' : ''}`, d: edge(inside) }));
  }
  if (limit !== null) {
    svg.append(s('line', { class: 'k-limit limit', x1: x(limit), x2: x(limit), y1: area.top - 8, y2: axis.bottom }));
  }
  for (const [place, series] of own.entries()) {
    const colour = colourOf(series.terminal);
    let before = -Infinity;
    for (const name of own.length === 1 ? (['p50', 'p95', 'p99'] as const) : (['p50'] as const)) {
      const value = series.lines[name];
      if (value === undefined) continue;
      const at = x(value);
      svg.append(s('line', { class: `statistic ${colour}`, x1: at, x2: at, y1: area.top - 6, y2: area.bottom }));
      // Names of several terminals would overlap.
      if (own.length === 1 && at - before > 30) {
        svg.append(s('text', { class: 'mark', x: Math.min(Math.max(at, 14), width - 14), y: area.top - 11, 'text-anchor': 'middle' }, name));
        before = at;
      }
    }
    svg.append(strip(series, x, area.bottom + STRIP * place + STRIP / 2 + 2));
  }
  return { svg, stops: stops(panel, shown, x, y), top: area.top, bottom: axis.bottom };
}

/** The outliers of a sample on one line. */
function strip(series: SampleCurves, x: (value: number) => number, at: number): SVGGElement {
  const group = s('g');
  const samples = series.samples;
  if (samples === null) return group;
  for (const size of [1, 2]) {
    let d = '';
    for (const [place, label] of samples.label.entries()) {
      const value = samples.y[place];
      if (label !== WARM_UP && Math.abs(label) === size && value !== undefined) d += `M${x(value).toFixed(1)} ${at}h0`;
    }
    if (d !== '') group.append(s('path', { class: `dots ${size === 2 ? 'o-severe' : 'o-mild'}`, d }));
  }
  return group;
}

function points(series: SampleCurves, [low = 0, high = 0]: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const [place, at] of (series.density?.x ?? []).entries()) {
    if (at >= low && at <= high) found.push([at, series.density?.y[place] ?? 0]);
  }
  return found;
}

function stops(panel: MetricPanel, shown: readonly SampleCurves[], x: ReturnType<typeof scaleOf>, y: (value: number) => number): Stop[] {
  const first = shown[0]?.density;
  if (first === undefined || first === null) return [];
  const peak = Math.max(...first.y);
  const [low = 0, high = 0] = x.domain();
  const found: Stop[] = [];
  for (const [place, at] of first.x.entries()) {
    const height = first.y[place] ?? 0;
    if (at < low || at > high) continue;
    found.push({
      x: x(at),
      words: `${quantity(at, panel.unit)}: ${((height / peak) * 100).toFixed(0)} % of the peak`,
      marks: [{ y: y(height), colour: colourOf(shown[0]?.terminal ?? '') }],
    });
  }
  return found;
}
