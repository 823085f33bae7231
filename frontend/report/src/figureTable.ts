/** Every figure of every terminal: a row for each figure, a column for each terminal, the first one the reference. */

import { copyButtons } from './copy';
import type { ComparisonSection, ComparedFigure, ComparedRow, ReportPage } from './data';
import { addressOf } from './descriptions';
import { breakable, h, type Child } from './dom';
import { terminalMark } from './appearance';
import { spoken } from './text';

interface View {
  search: string;
  all: boolean;
}

/** A row of the table, with its name where it is one of the highlights. */
interface Entry {
  line: ComparedRow;
  words: string;
}

const SIGNS = { ahead: ['▲', 'better'], behind: ['▼', 'worse'] } as const;

export function figureTable(page: ReportPage, comparison: ComparisonSection): HTMLElement[] {
  const every = comparison.lines.map((line): Entry => ({ line, words: '' }));
  const short = comparison.highlights.flatMap(({ line, words }): Entry[] => {
    const found = comparison.lines[line];
    return found === undefined ? [] : [{ line: found, words }];
  });
  const view: View = { search: '', all: short.length === 0 };
  const body = h('tbody');
  const count = h('p', { class: 'count', role: 'status' });
  const search = h('input', { type: 'search', placeholder: 'Search all figures', 'aria-label': 'Search all figures' });
  const choice = choose(view, short.length, every.length, () => {
    search.value = view.search = '';
    show();
  });

  const show = (): void => {
    const found = (view.all ? every : short).filter((entry) => matches(entry, view.search));
    body.replaceChildren(...(view.all ? bySuite(page, comparison, found) : found.map((entry) => line(page, entry, false))));
    if (found.length === 0) body.append(h('tr', {}, h('td', { class: 'empty', colspan: comparison.terminals.length + 1 }, 'Nothing matches.')));
    count.textContent = `${found.length} of ${every.length} shown`;
    fit();
  };

  search.addEventListener('input', () => {
    view.search = search.value;
    // A search covers all figures.
    if (view.search !== '') choice.select(true);
    show();
  });
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    search.value = view.search = '';
    show();
  });

  const table = h('table', { class: 'matrix' }, h('caption', { class: 'unseen' }, `Figures of each terminal, and their ratios with ${page.level} intervals`), heads(comparison), body);
  const region = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Figures of each terminal' }, table);
  // Where all columns fit, the heads stay in view on the page; else the region scrolls and they stay within it.
  const fit = (): void => {
    region.classList.add('fits');
    region.classList.toggle('fits', table.offsetWidth <= (region.parentElement?.clientWidth ?? 0));
  };
  whileOnPaper(view, choice.select, show);
  show();
  const around = h('div', {}, region);
  new ResizeObserver(fit).observe(around);
  return [h('div', { class: 'tools' }, short.length > 0 && choice.element, h('span', { class: 'search' }, search), count, copyButtons(table)), around, key(comparison)];
}

/** Everything is shown in print, where nothing can be chosen. */
function whileOnPaper(view: View, select: (all: boolean) => void, show: () => void): void {
  let before: View | null = null;
  addEventListener('beforeprint', () => {
    before ??= { ...view };
    view.search = '';
    select(true);
    show();
  });
  addEventListener('afterprint', () => {
    if (before === null) return;
    view.search = before.search;
    select(before.all);
    before = null;
    show();
  });
}

function choose(view: View, short: number, every: number, show: () => void): { element: HTMLElement; select: (all: boolean) => void } {
  const option = (all: boolean): HTMLInputElement => {
    const input = h('input', { type: 'radio', name: 'figures', value: all ? 'all' : 'short', checked: all === view.all });
    input.addEventListener('change', () => {
      view.all = all;
      show();
    });
    return input;
  };
  const [few, all] = [option(false), option(true)];
  const label = (input: HTMLInputElement, words: string, n: number): HTMLElement => h('label', {}, input, h('span', {}, `${words} `, h('b', {}, String(n))));
  const element = h('fieldset', { class: 'choice' }, h('legend', { class: 'unseen' }, 'Which figures'), label(few, 'Highlights', short), label(all, 'All', every));
  return {
    element,
    select: (yes) => {
      view.all = yes;
      (yes ? all : few).checked = true;
    },
  };
}

function matches({ line, words }: Entry, search: string): boolean {
  const text = `${line.suite}/${line.name} ${line.parameter} ${line.statistic} ${words}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function heads(comparison: ComparisonSection): HTMLElement {
  const cells = comparison.terminals.map(({ name }) => h('th', { scope: 'col' }, terminalMark(name), ' ', breakable(name)));
  return h('thead', {}, h('tr', {}, h('td'), ...cells));
}

function bySuite(page: ReportPage, comparison: ComparisonSection, entries: readonly Entry[]): HTMLElement[] {
  const found: HTMLElement[] = [];
  let above: ComparedRow | null = null;
  for (const entry of entries) {
    const { line: at } = entry;
    if (at.suite !== above?.suite) {
      const words = h('span', {}, spoken(at.suite));
      found.push(h('tr', { class: 'suite' }, h('th', { colspan: comparison.terminals.length + 1, scope: 'rowgroup' }, words)));
    }
    found.push(line(page, entry, at.anchor === above?.anchor && at.parameter === above.parameter));
    above = at;
  }
  return found;
}

/** One row; `again` where the row above it has the same benchmark and parameter. */
function line(page: ReportPage, { line: at, words }: Entry, again: boolean): HTMLElement {
  const address = addressOf(page, at.anchor, at.panel);
  const place = [breakable(at.name), at.parameter !== '' && h('span', { class: 'parameter' }, ` ${at.parameter}`)];
  const head =
    words === ''
      ? [h('a', { href: address, class: again ? 'unseen' : null, tabindex: again ? -1 : null }, ...place), h('span', { class: 'under' }, at.statistic)]
      : [h('a', { href: address }, words)];
  const cells = at.figures.map((figure, column) => h('td', { class: className(figure) }, ...cell(figure, column === 0)));
  return h('tr', { class: again ? 'again' : null }, h('th', { scope: 'row' }, ...head), ...cells);
}

const className = (figure: ComparedFigure | null): string | null => (figure?.side === undefined ? null : `s-${figure.side}`);

function cell(figure: ComparedFigure | null, first: boolean): Child[] {
  if (figure === null) return [h('span', { class: 'faint' }, '–')];
  const { value, rate, ratio, interval, side, failed, client, reason } = figure;
  const sign = side === undefined ? null : SIGNS[side];
  return [
    value === undefined ? h('span', { class: 'faint' }, '–') : h('span', { class: 'strong' }, value),
    rate !== undefined && h('span', { class: 'rate' }, rate),
    ratio !== undefined &&
      h(
        'span',
        { class: 'ratio' },
        sign !== null && h('span', { class: 'sign', 'aria-hidden': 'true' }, sign[0]),
        sign !== null && h('span', { class: 'unseen' }, sign[1]),
        h('b', {}, ratio),
        ' ',
        h('span', { class: 'bounds' }, interval ?? ''),
      ),
    failed !== undefined && h('span', { class: 'taint v-fail' }, h('span', { class: 'sign', 'aria-hidden': 'true' }, '✕'), failed),
    client !== undefined && h('span', { class: 'taint v-refused' }, h('span', { class: 'sign', 'aria-hidden': 'true' }, '!'), `client ${client} of a core`),
    reason !== undefined && h('span', { class: 'why' }, unsaid(figure, first) ? `no ratio: ${reason}` : reason),
  ];
}

/** Whether a reason explains a missing ratio without saying so. */
const unsaid = ({ value, ratio, reason }: ComparedFigure, first: boolean): boolean => !first && value !== undefined && ratio === undefined && reason?.endsWith('ratio') === false;

function key(comparison: ComparisonSection): HTMLElement {
  const first = comparison.terminals[0]?.name ?? '';
  return h(
    'p',
    { class: 'note matrix-key' },
    h('span', { class: 's-ahead' }, h('span', { class: 'sign' }, '▲'), ` significantly better than ${first}`),
    ', ',
    h('span', { class: 's-behind' }, h('span', { class: 'sign' }, '▼'), ' significantly worse'),
    `; without a sign the difference is not significant, or the metric has no better direction.`,
  );
}
