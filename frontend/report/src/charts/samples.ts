/** Every operation in the order in which it was due, a strip for each terminal. */

import { scaleLinear } from 'd3-scale';
import { axisLeft, roomLeft, scaleOf, type Area, type Scale } from '../axes';
import { canvas, type Chart, type Drawing, type Legend } from '../chart';
import { WARM_UP, type MetricPanel, type SamplePlot, type SampleCurves } from '../data';
import { s } from '../dom';
import { colourOf } from '../appearance';
import { quantity } from '../units';

const BELOW = 40;

interface Shown extends SampleCurves {
  samples: SamplePlot;
}

export function samplesChart(panel: MetricPanel): Chart | null {
  const shown = panel.series.filter((series): series is Shown => series.samples !== null);
  if (shown.length === 0) return null;
  const has = (label: number): boolean => shown.some((series) => series.samples.label.some((each) => Math.abs(each) === label));
  const failures = shown.flatMap((series) => series.samples.failures);
  const legend: Legend[] = shown.map((series) => ({ words: series.label, colour: colourOf(series.terminal), mark: 'dot' }));
  if (has(WARM_UP)) legend.push({ words: 'warm-up', colour: 'o-warm', mark: 'dot' });
  if (has(1)) legend.push({ words: 'mild outlier', colour: 'o-mild', mark: 'dot' });
  if (has(2)) legend.push({ words: 'severe outlier', colour: 'o-severe', mark: 'dot' });
  const outcomes = [...new Set(failures.map((failure) => failure.outcome))];
  if (outcomes.length > 0) legend.push({ words: `failed: ${outcomes.join(', ')}`, colour: 'o-failed', mark: 'cross' });
  const thinned = shown.filter((series) => series.samples.drawn < series.samples.total);
  const notes = thinned.map(
    ({ label, samples }) =>
      `${label}: ${samples.drawn.toLocaleString('en-US')} of ${samples.total.toLocaleString('en-US')} operations are drawn, evenly chosen, outliers more densely than the rest. Every figure is from all of them.`,
  );
  return {
    title: 'Samples over time',
    summary: shown
      .map(({ label, samples }) => `${label}: ${samples.total} operations in ${samples.blocks.length} blocks, ${samples.failures.length} failed`)
      .join('; '),
    note: notes.join(' '),
    legend,
    draw: (width) => draw(panel, shown, width),
  };
}

function draw(panel: MetricPanel, shown: readonly Shown[], width: number): Drawing {
  const each = shown.length > 1 ? 130 : 210;
  const height = shown.length * (each + BELOW);
  const svg = canvas(width, height);
  const values = shown.flatMap((series) => [...series.samples.y, ...series.samples.failures.map((failure) => failure.y)]);
  const positive = panel.scale === 'log' && Math.min(...values) > 0;
  const domain: [number, number] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  for (const [place, series] of shown.entries()) {
    const top = place * (each + BELOW) + 12;
    const area: Area = { left: 0, right: width - 10, top, bottom: top + each - 8 };
    const y = scaleOf(positive ? 'log' : 'linear', domain, [area.bottom, area.top]);
    area.left = roomLeft(y, positive ? 'log' : 'linear', area.bottom - area.top, panel.unit);
    const x = scaleLinear().domain([0.5, series.samples.total + 0.5]).range([area.left, area.right]);
    svg.append(axisLeft(y, positive ? 'log' : 'linear', area, panel.unit));
    svg.append(strip(series, x, y, area, panel.unit));
  }
  return { svg, stops: [], top: 0, bottom: height };
}

function strip(series: Shown, x: Scale, y: Scale, area: Area, unit: string): SVGGElement {
  const group = s('g');
  const { samples } = series;
  const paths = new Map<string, string>();
  const radius = samples.drawn > 800 ? 'small' : 'large';
  for (const [place, at] of samples.x.entries()) {
    const colour = colourFor(samples.label[place] ?? 0, colourOf(series.terminal));
    const d = `M${x(at).toFixed(1)} ${y(samples.y[place] ?? 0).toFixed(1)}h0`;
    paths.set(colour, (paths.get(colour) ?? '') + d);
  }
  const order = ['o-warm', colourOf(series.terminal), 'o-mild', 'o-severe'];
  for (const colour of order) {
    const d = paths.get(colour);
    if (d !== undefined) group.append(s('path', { class: `dots ${radius} ${colour}`, d }));
  }
  for (const failure of samples.failures) {
    const words = `operation ${failure.x}: ${failure.outcome} after ${quantity(failure.y, unit)}${failure.reason === '' ? '' : `, ${failure.reason}`}`;
    const mark = s('path', { class: 'cross o-failed', d: `M${x(failure.x) - 3.5} ${y(failure.y) - 3.5}l7 7m0 -7l-7 7` });
    mark.append(s('title', {}, words));
    group.append(mark);
  }
  group.append(blocks(samples, x, area));
  return group;
}

function colourFor(label: number, own: string): string {
  if (label === WARM_UP) return 'o-warm';
  return label === 0 ? own : Math.abs(label) === 1 ? 'o-mild' : 'o-severe';
}

/** Where each block begins, named where there is room. */
function blocks(samples: SamplePlot, x: Scale, area: Area): SVGGElement {
  const group = s('g', { class: 'axis' });
  group.append(s('line', { class: 'base', x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
  let free = area.left;
  for (const [place, block] of samples.blocks.entries()) {
    const at = x(block.x - 0.5);
    if (place > 0) group.append(s('line', { class: 'divider', x1: at, x2: at, y1: area.top, y2: area.bottom + 5 }));
    const end = x((samples.blocks[place + 1]?.x ?? samples.total + 1) - 0.5);
    const words = end - at > 150 ? `block ${block.block}, ${block.seconds} s into the run` : end - at > 66 ? `block ${block.block}` : String(block.block);
    if (at >= free) {
      group.append(s('text', { x: at + 3, y: area.bottom + 17 }, words));
      free = at + 6 + words.length * 6.4;
    }
  }
  return group;
}
