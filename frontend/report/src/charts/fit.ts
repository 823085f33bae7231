/** Readings of a slope or a level, and the line through them. */

import { area as areaOf, line as lineOf } from 'd3-shape';
import { axisBelow, axisLeft, roomLeft, scaleOf, type Area } from '../axes';
import { canvas, type Chart, type Drawing } from '../chart';
import type { LineFit, MetricPanel } from '../data';
import { s } from '../dom';
import { colourOf } from '../appearance';

const HEIGHT = 280;

export function fitChart(panel: MetricPanel, level: string): Chart | null {
  const fits = panel.fits.filter((fit) => fit.x.length > 0);
  if (fits.length === 0) return null;
  const sloped = fits.some((fit) => fit.line_x.length > 0);
  const legend = fits.map((fit) => ({ words: `${fit.terminal}: ${fit.words}`, colour: colourOf(fit.terminal), mark: 'dot' as const }));
  return {
    title: sloped ? 'Readings and the line through them' : 'Readings',
    summary: fits.map((fit) => `${fit.terminal}: ${fit.words}`).join('; '),
    note: sloped ? `The band is the ${level} interval of the line.` : '',
    legend,
    draw: (width) => draw(panel, fits, width),
  };
}

function draw(panel: MetricPanel, fits: readonly LineFit[], width: number): Drawing {
  const svg = canvas(width, HEIGHT);
  const area: Area = { left: 0, right: width - 14, top: 12, bottom: HEIGHT - 40 };
  const xs = fits.flatMap((fit) => fit.x);
  const ys = fits.flatMap((fit) => [...fit.y, ...fit.line_lower, ...fit.line_upper]);
  const y = scaleOf('linear', [Math.min(...ys), Math.max(...ys)], [area.bottom, area.top]);
  // The readings are in the unit of y; a slope may be named as that by x.
  const [unit = ''] = panel.unit.split('/');
  area.left = roomLeft(y, 'linear', area.bottom - area.top, unit);
  const x = scaleOf('linear', [Math.min(0, ...xs), Math.max(1, ...xs)], [area.left, area.right]);
  svg.append(axisLeft(y, 'linear', area, unit), axisBelow(x, 'linear', area, ''));
  svg.append(s('text', { class: 'axis-name', x: area.right, y: HEIGHT - 4, 'text-anchor': 'end' }, 'sessions'));
  for (const fit of fits) {
    const colour = colourOf(fit.terminal);
    const places = fit.line_x.map((at, place) => ({
      x: x(at),
      y: y(fit.line_y[place] ?? 0),
      lower: y(fit.line_lower[place] ?? 0),
      upper: y(fit.line_upper[place] ?? 0),
    }));
    if (places.length > 0) {
      const band = areaOf<(typeof places)[number]>((at) => at.x, (at) => at.lower, (at) => at.upper);
      const edge = lineOf<(typeof places)[number]>((at) => at.x, (at) => at.y);
      svg.append(s('path', { class: `band ${colour}`, d: band(places) }), s('path', { class: `stroke ${colour}`, d: edge(places) }));
    }
    const d = fit.x.map((at, place) => `M${x(at).toFixed(1)} ${y(fit.y[place] ?? 0).toFixed(1)}h0`).join('');
    svg.append(s('path', { class: `dots big ${colour}`, d }));
  }
  return { svg, stops: [], top: area.top, bottom: area.bottom };
}
