/**
 * A chart on the page: drawn when it is about to scroll into view, redrawn when its width changes, read with the pointer
 * or the arrow keys.
 */

import { h, s } from './dom';

/** A place where a chart can be read: its text, and where to mark it. One with a `y` is a single dot. */
export interface Stop {
  x: number;
  y?: number;
  words: string;
  marks: readonly { y: number; colour: string }[];
}

export interface Drawing {
  svg: SVGSVGElement;
  /** From left to right, or row by row; empty where there is nothing to read off. */
  stops: readonly Stop[];
  top: number;
  bottom: number;
}

export interface Legend {
  words: string;
  /** The class that gives the colour. */
  colour: string;
  mark: 'line' | 'dash' | 'dot' | 'ring' | 'cross' | 'bar' | 'shape';
  /** The outline of a `shape` around 0, 0. */
  outline?: string;
}

export interface Chart {
  title: string;
  /** What the chart shows, for screen readers. */
  summary: string;
  note?: string | undefined;
  legend?: readonly Legend[] | undefined;
  draw: (width: number) => Drawing;
  /** The text of the readout while nothing is pointed at. */
  rest?: string;
}

/** Of single dots, one in the pointer's own row is preferred to a nearer one in another row. */
const ROW_WEIGHT = 4;

const waiting = new Map<Element, () => void>();

const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) drawNow(entry.target);
  },
  { rootMargin: '600px' },
);

const widths = new Map<Element, { width: number; redraw: (width: number) => void }>();

const resized = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const known = widths.get(entry.target);
    const width = Math.round(entry.contentRect.width);
    if (known !== undefined && width > 0 && width !== known.width) {
      known.width = width;
      known.redraw(width);
    }
  }
});

function drawNow(target: Element): void {
  near.unobserve(target);
  waiting.get(target)?.();
  waiting.delete(target);
}

/** Draw every chart that is not drawn yet and not folded away, since all of them are visible in print. */
export function drawAll(): void {
  for (const target of [...waiting.keys()]) if (target.isConnected && target.checkVisibility()) drawNow(target);
}

/** Forget charts that were taken off the page. */
export function forget(root: Element): void {
  for (const host of root.querySelectorAll('.plot')) {
    near.unobserve(host);
    resized.unobserve(host);
    waiting.delete(host);
    widths.delete(host);
  }
}

export function figure(chart: Chart, className = ''): HTMLElement {
  const readout = h('output', { class: 'readout' }, chart.rest);
  const host = h('div', { class: 'plot' });
  const title = h('span', { class: 'chart-title' }, chart.title);
  const legend = (chart.legend?.length ?? 0) > 0 && h('ul', { class: 'legend' }, ...(chart.legend ?? []).map(key));
  const found = h(
    'figure',
    { class: `chart ${className}`.trim() },
    h('figcaption', {}, title, readout, legend),
    host,
    chart.note !== undefined && chart.note !== '' && h('p', { class: 'note' }, chart.note),
  );
  let drawn: Drawing | null = null;
  let at = -1;

  const show = (place: number): void => {
    if (drawn === null) return;
    const stop = drawn.stops[place];
    host.querySelector('.cursor')?.remove();
    at = stop === undefined ? -1 : place;
    readout.textContent = stop?.words ?? chart.rest ?? '';
    if (stop === undefined) return;
    host.setAttribute('aria-valuenow', String(place));
    host.setAttribute('aria-valuetext', stop.words);
    const cursor = s('g', { class: 'cursor' });
    if (stop.y === undefined) cursor.append(s('line', { x1: stop.x, x2: stop.x, y1: drawn.top, y2: drawn.bottom }));
    for (const { y, colour } of stop.marks) cursor.append(s('circle', { cx: stop.x, cy: y, r: 3.5, class: colour }));
    drawn.svg.append(cursor);
  };

  const draw = (width: number): void => {
    drawn = chart.draw(width);
    drawn.svg.setAttribute('aria-hidden', 'true');
    host.replaceChildren(drawn.svg);
    host.setAttribute('aria-label', `${chart.title}. ${chart.summary}`);
    if (drawn.stops.length === 0) {
      host.setAttribute('role', 'img');
      return;
    }
    host.setAttribute('role', 'slider');
    host.setAttribute('tabindex', '0');
    host.setAttribute('aria-valuemin', '0');
    host.setAttribute('aria-valuemax', String(drawn.stops.length - 1));
    host.setAttribute('aria-valuenow', String(Math.max(at, 0)));
    host.setAttribute('aria-valuetext', drawn.stops[Math.max(at, 0)]?.words ?? '');
  };

  host.addEventListener('pointermove', (event) => {
    if (drawn === null) return;
    const box = drawn.svg.getBoundingClientRect();
    const scale = drawn.svg.viewBox.baseVal.width / box.width;
    show(nearest(drawn.stops, (event.clientX - box.left) * scale, (event.clientY - box.top) * scale));
  });
  host.addEventListener('pointerleave', () => {
    if (document.activeElement !== host) show(-1);
  });
  host.addEventListener('blur', () => {
    show(-1);
  });
  host.addEventListener('keydown', (event) => {
    const last = (drawn?.stops.length ?? 0) - 1;
    const large = Math.max(1, Math.round(last / 10));
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      PageDown: at - large,
      PageUp: at + large,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (to === undefined || last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(Math.min(last, Math.max(0, to)));
  });

  waiting.set(host, () => {
    const width = Math.round(host.getBoundingClientRect().width) || 640;
    widths.set(host, { width, redraw: draw });
    draw(width);
    resized.observe(host);
  });
  near.observe(host);
  return found;
}

function key({ words, colour, mark, outline = '' }: Legend): HTMLElement {
  const shapes = {
    line: () => s('line', { x1: 1, x2: 17, y1: 6, y2: 6 }),
    dash: () => s('line', { x1: 1, x2: 17, y1: 6, y2: 6, 'stroke-dasharray': '4 3' }),
    dot: () => s('circle', { cx: 9, cy: 6, r: 3.2, class: 'full' }),
    ring: () => s('circle', { cx: 9, cy: 6, r: 3.2, class: 'ring' }),
    cross: () => s('path', { d: 'M6 3l6 6m0-6l-6 6' }),
    bar: () => s('rect', { x: 1, y: 2, width: 16, height: 8, class: 'band' }),
    shape: () => s('path', { d: outline, transform: 'translate(9 6)', class: 'full' }),
  } as const;
  const icon = s('svg', { width: 18, height: 12, viewBox: '0 0 18 12', 'aria-hidden': 'true', class: `key ${colour}` });
  icon.append(shapes[mark]());
  return h('li', {}, icon, words);
}

function nearest(stops: readonly Stop[], x: number, y: number): number {
  let found = -1;
  let least = Infinity;
  for (const [place, stop] of stops.entries()) {
    const apart = stop.y === undefined ? Math.abs(stop.x - x) : Math.hypot(stop.x - x, (stop.y - y) * ROW_WEIGHT);
    if (apart < least) [found, least] = [place, apart];
  }
  return found;
}

/** The SVG element of a chart, drawn in pixels and scaled down where paper is narrower. */
export function canvas(width: number, height: number): SVGSVGElement {
  return s('svg', { viewBox: `0 0 ${width} ${height}`, width, height });
}
