/** Samples side by side on one axis: each its density, mirrored, with its median and its p95. */

import { scaleLinear } from 'd3-scale';
import { area as areaOf, curveMonotoneX } from 'd3-shape';
import { axisBelow, scaleOf, ticksOf, type Area } from '../axes';
import { canvas, type Chart, type Drawing } from '../chart';
import type { BenchmarkSection, SampleCurves, ViolinChart } from '../data';
import { s } from '../dom';
import { colourOf } from '../appearance';
import { quantity } from '../units';

const ROW = 40;

export function violinsChart(violins: ViolinChart, benchmark: BenchmarkSection): Chart {
  const rows = violins.violins.map((violin) => ({ label: violin.label, series: benchmark.panels[violin.panel]?.series[violin.series] }));
  const found = rows.filter((row): row is { label: string; series: SampleCurves } => row.series !== undefined);
  return {
    title: violins.title === '' ? 'Side by side' : `Side by side, ${violins.title}`,
    summary: found.map(({ label, series }) => `${label}: ${Object.entries(series.lines).map(([name, at]) => `${name} ${quantity(at, violins.unit)}`).join(', ')}`).join('; '),
    note: 'Long bar: p50; short bar: p95.',
    draw: (width) => draw(violins, found, width),
  };
}

function draw(violins: ViolinChart, rows: readonly { label: string; series: SampleCurves }[], width: number): Drawing {
  const height = rows.length * ROW + 34;
  const svg = canvas(width, height);
  const longest = Math.max(...rows.map((row) => row.label.length));
  const left = Math.min(longest * 6.8 + 14, width * 0.34);
  const area: Area = { left, right: width - 8, top: 4, bottom: height - 26 };
  const x = scaleOf(violins.scale, violins.domain, [area.left, area.right]);
  for (const value of ticksOf(x, violins.scale, Math.max(2, Math.floor((area.right - area.left) / 72)))) {
    svg.append(s('line', { class: 'grid', x1: x(value), x2: x(value), y1: area.top, y2: area.bottom }));
  }
  svg.append(axisBelow(x, violins.scale, area, violins.unit));
  for (const [place, { label, series }] of rows.entries()) {
    const middle = area.top + ROW * (place + 0.5);
    const colour = colourOf(series.terminal);
    svg.append(s('text', { class: 'row-name', x: left - 10, y: middle + 4, 'text-anchor': 'end' }, shortened(label, left)));
    const { density } = series;
    if (density === null) continue;
    const half = scaleLinear([0, Math.max(...density.y)], [0, ROW * 0.42]);
    const [low = 0, high = 0] = x.domain();
    const points = density.x.map((at, each): [number, number] => [at, density.y[each] ?? 0]).filter(([at]) => at >= low && at <= high);
    const shape = areaOf<[number, number]>(([at]) => x(at), ([, y]) => middle - half(y), ([, y]) => middle + half(y)).curve(curveMonotoneX);
    svg.append(s('path', { class: `violin ${colour}`, d: shape(points) }));
    for (const [name, reach] of [['p50', 0.32], ['p95', 0.16]] as const) {
      const value = series.lines[name];
      if (value === undefined) continue;
      svg.append(s('line', { class: `median ${colour}`, x1: x(value), x2: x(value), y1: middle - ROW * reach, y2: middle + ROW * reach }));
    }
  }
  return { svg, stops: [], top: area.top, bottom: area.bottom };
}

function shortened(label: string, room: number): string {
  const most = Math.floor((room - 10) / 6.6);
  return label.length <= most ? label : `${label.slice(0, Math.max(1, most - 1))}…`;
}
