/** The distribution on a percentile axis up to p99.9, as HDR histograms are drawn: every nine has the same room. */

import { scaleLinear } from 'd3-scale';
import { area as areaOf, curveStepBefore, line as lineOf } from 'd3-shape';
import { axisLeft, roomLeft, scaleOf, type Area, type Scale } from '../axes';
import { canvas, type Chart, type Drawing, type Stop } from '../chart';
import type { MetricPanel, PercentileCurve, SampleCurves } from '../data';
import { s } from '../dom';
import { colourOf, colourIn, seriesLegend } from '../appearance';
import { quantity } from '../units';

const HEIGHT = 260;
const MOST_NINES = 3;

const TICKS: readonly [name: string, nines: number, wide: boolean][] = [
  ['min', 0, true],
  ['p50', -Math.log10(0.5), false],
  ['p75', -Math.log10(0.25), true],
  ['p90', 1, false],
  ['p95', -Math.log10(0.05), true],
  ['p99', 2, false],
  ['p99.5', -Math.log10(0.005), true],
  ['p99.9', 3, false],
];

interface Shown extends SampleCurves {
  percentiles: PercentileCurve;
}

export function percentileChart(panel: MetricPanel, level: string): Chart | null {
  const { domain } = panel;
  const shown = panel.series.filter((series): series is Shown => series.percentiles !== null);
  if (domain === null || shown.length === 0) return null;
  const own = shown.filter((series) => series.reference === '');
  const thin = own.filter((series) => series.percentiles.supported < series.percentiles.nines.length);
  const legend = seriesLegend(shown);
  legend.push({ words: `${level} interval`, colour: colourOf(own[0]?.terminal ?? ''), mark: 'bar' });
  return {
    title: 'Distribution by percentile',
    summary: own
      .map((series) => `${series.label}: ${Object.entries(series.lines).map(([name, at]) => `${name} ${quantity(at, panel.unit)}`).join(', ')}`)
      .join('; '),
    note: thin.length > 0 ? 'Dotted: more operations are needed to bound it on both sides.' : '',
    legend,
    draw: (width) => draw(panel, shown, domain, width),
  };
}

function draw(panel: MetricPanel, shown: readonly Shown[], domain: [number, number], width: number): Drawing {
  const svg = canvas(width, HEIGHT);
  const area: Area = { left: 0, right: width - 24, top: 12, bottom: HEIGHT - 26 };
  const y = scaleOf(panel.scale, domain, [area.bottom, area.top]);
  area.left = roomLeft(y, panel.scale, area.bottom - area.top, panel.unit);
  const x = scaleLinear().domain([0, MOST_NINES]).range([area.left, area.right]);
  svg.append(axisLeft(y, panel.scale, area, panel.unit), axis(x, area));
  const [low = 0, high = 0] = y.domain();
  if (panel.limit !== null && panel.limit >= low && panel.limit <= high) {
    const at = y(panel.limit);
    svg.append(
      s('line', { class: 'k-limit limit', x1: area.left, x2: area.right, y1: at, y2: at }),
      s('text', { class: 'mark', x: area.left + 4, y: at - 4 }, panel.limit_words),
    );
  }
  for (const series of [...shown].reverse()) svg.append(curve(series, colourIn(shown, series), x, y, [low, high]));
  return { svg, stops: stops(panel, shown, x, y), top: area.top, bottom: area.bottom };
}

function axis(x: Scale, area: Area): SVGGElement {
  const group = s('g', { class: 'axis' });
  group.append(s('line', { class: 'base', x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
  for (const [name, nines, wide] of TICKS) {
    if (wide && area.right - area.left < 380) continue;
    const at = x(nines);
    group.append(
      s('line', { class: 'notch', x1: at, x2: at, y1: area.bottom, y2: area.bottom + 4 }),
      s('text', { x: at, y: area.bottom + 17, 'text-anchor': 'middle' }, name),
    );
  }
  return group;
}

type Place = { x: number; y: number; lower: number; upper: number };

function curve(series: Shown, colour: string, x: Scale, y: Scale, [low, high]: [number, number]): SVGGElement {
  const group = s('g');
  const { nines, value, lower, upper, supported } = series.percentiles;
  const places: Place[] = [];
  for (const [place, each] of value.entries()) {
    if (each === null) break;
    // A bound that does not exist lies beyond the chart.
    const bounds = [lower[place] ?? low, upper[place] ?? high].map((end) => y(Math.min(high, Math.max(low, end))));
    places.push({ x: x(nines[place] ?? 0), y: y(each), lower: bounds[0] ?? 0, upper: bounds[1] ?? 0 });
  }
  const edge = lineOf<Place>((at) => at.x, (at) => at.y).curve(curveStepBefore);
  if (series.reference === '') {
    const band = areaOf<Place>((at) => at.x, (at) => at.lower, (at) => at.upper).curve(curveStepBefore);
    group.append(s('path', { class: `band ${colour}`, d: band(places.slice(0, supported)) }));
  }
  const dashed = series.reference === 'baseline' ? ' dashed' : '';
  group.append(s('path', { class: `stroke ${colour}${dashed}`, d: edge(places.slice(0, supported)) }));
  if (supported < places.length) {
    group.append(s('path', { class: `stroke dotted ${colour}`, d: edge(places.slice(Math.max(0, supported - 1))) }));
  }
  return group;
}

function stops(panel: MetricPanel, shown: readonly Shown[], x: Scale, y: Scale): Stop[] {
  const longest = [...shown].sort((one, other) => other.percentiles.nines.length - one.percentiles.nines.length)[0];
  if (longest === undefined) return [];
  return longest.percentiles.nines.map((nines) => {
    const words: string[] = [];
    const marks: Stop['marks'][number][] = [];
    for (const series of shown) {
      const place = closest(series.percentiles.nines, nines);
      const value = place === null ? undefined : series.percentiles.value[place];
      if (place === null || value === undefined) continue;
      const name = shown.length > 1 ? `${series.label} ` : '';
      words.push(name + (value === null ? 'failed' : quantity(value, panel.unit) + bounds(series.percentiles, place, panel.unit)));
      if (value !== null) marks.push({ y: y(value), colour: colourIn(shown, series) });
    }
    return { x: x(nines), words: `${percentile(nines)}: ${words.join(' · ')}`, marks };
  });
}

function bounds({ lower, upper }: PercentileCurve, place: number, unit: string): string {
  const [low, high] = [lower[place] ?? null, upper[place] ?? null];
  if (low === null || high === null) return '';
  return ` (${quantity(low, unit)} … ${quantity(high, unit)})`;
}

function closest(nines: readonly number[], to: number): number | null {
  const last = nines.at(-1);
  if (last === undefined || to > last + 0.05) return null;
  return nines.reduce((best, each, place) => (Math.abs(each - to) < Math.abs((nines[best] ?? 0) - to) ? place : best), 0);
}

function percentile(nines: number): string {
  const share = (1 - 10 ** -nines) * 100;
  return `p${share < 90 ? share.toFixed(0) : share < 99 ? share.toFixed(1) : share.toFixed(2)}`;
}
