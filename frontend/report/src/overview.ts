/** The table of targets: searched, filtered and sorted, each row with a link to its charts. */

import { bullet, bulletAxis, bulletScale } from './charts/bullet';
import { copyButtons } from './copy';
import type { OverviewRow, ReportPage } from './data';
import { addressOf } from './descriptions';
import { breakable, h, type Child } from './dom';
import { colourOf, glyph, verdictClass } from './appearance';
import { spoken } from './text';

type Order = 'none' | 'verdict' | 'benchmark' | 'share' | 'floor' | 'change';

interface Column {
  order: Order;
  head: string;
  /** Whether there is anything to show in it. */
  shown: boolean;
  className: string;
}

interface View {
  search: string;
  filter: string;
  order: Order;
  down: boolean;
}

const isJudged = (row: OverviewRow): boolean => row.verdict !== 'none' || row.target !== '' || row.goal !== '';

/** The heading, which names the terminal where only its targets are listed. */
export function overviewTitle(page: ReportPage): string {
  return page.judged === '' ? 'Overview' : `Targets of ${page.judged}`;
}

export function overview(page: ReportPage, root: HTMLElement): void {
  const rows = page.overview;
  const view: View = { search: '', filter: rows.some(isJudged) ? 'judged' : 'all', order: 'none', down: false };
  const several = new Set(rows.filter((row) => row.role === 'subject').map((row) => row.terminal)).size > 1;
  const scale = bulletScale(rows.flatMap((row) => (row.bullet === null ? [] : [row.bullet])));
  const columns: Column[] = [
    { order: 'verdict', head: 'Verdict', shown: true, className: 'w-verdict' },
    { order: 'benchmark', head: 'Benchmark', shown: true, className: 'w-name' },
    { order: 'none', head: 'Result', shown: true, className: 'w-value number' },
    { order: 'share', head: 'Part of the limit', shown: rows.some((row) => row.bullet !== null), className: 'w-bullet' },
    { order: 'none', head: 'Target', shown: rows.some(isJudged), className: 'w-target number' },
    { order: 'floor', head: '× floor', shown: rows.some((row) => row.floor !== ''), className: 'w-floor number' },
    { order: 'change', head: 'Change', shown: page.baseline.length > 0, className: 'w-change number' },
  ];
  const shown = columns.filter((column) => column.shown);
  const body = h('tbody');
  const count = h('p', { class: 'count', role: 'status' });
  const search = h('input', { type: 'search', id: 'search', placeholder: 'Search', 'aria-label': 'Search benchmarks', 'aria-keyshortcuts': '/' });
  const heads = shown.map((column) => head(column, scale));

  const show = (): void => {
    const found = ordered(rows.filter((row) => matches(row, view)), view);
    body.replaceChildren(...(view.order === 'none' ? bySuite(page, found, shown, scale, several) : found.map((row) => line(page, row, shown, scale, several, true))));
    if (found.length === 0) body.append(h('tr', {}, h('td', { class: 'empty', colspan: shown.length }, 'Nothing matches.')));
    count.textContent = `${found.length} of ${rows.length} shown`;
    for (const [place, { cell }] of heads.entries()) {
      const active = shown[place]?.order === view.order && view.order !== 'none';
      cell.setAttribute('aria-sort', active ? (view.down ? 'descending' : 'ascending') : 'none');
      if (shown[place]?.order === 'none') cell.removeAttribute('aria-sort');
    }
  };

  for (const [place, { button }] of heads.entries()) {
    button?.addEventListener('click', () => {
      const order = shown[place]?.order ?? 'none';
      // A third press restores the order of the catalogue.
      if (view.order !== order) Object.assign(view, { order, down: false });
      else if (!view.down) view.down = true;
      else Object.assign(view, { order: 'none', down: false });
      show();
    });
  }
  search.addEventListener('input', () => {
    view.search = search.value;
    show();
  });
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    search.value = view.search = '';
    show();
  });
  const filters = choices(rows, view, show);
  const table = h('table', { class: 'overview' }, h('caption', { class: 'unseen' }, `Results with ${page.level} intervals`), h('thead', {}, h('tr', {}, ...heads.map(({ cell }) => cell))), body);
  root.replaceChildren(
    h('h2', { id: 'overview-title' }, overviewTitle(page)),
    h('p', { class: 'description' }, lead(page, shown)),
    h('div', { class: 'tools' }, h('span', { class: 'search' }, search, h('kbd', { 'aria-hidden': 'true' }, '/')), filters, count, copyButtons(table)),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Results' }, table),
  );
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== 'radio';
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.focus();
  });
  show();
}

/** What the columns mean, for a reader who sees them for the first time. */
function lead(page: ReportPage, columns: readonly Column[]): string {
  const heads = columns.map((column) => column.head);
  const words = [`Below each result is its ${page.level} confidence interval.`];
  if (heads.includes('Target')) words.push('A target is a limit that the result must meet; a goal is what the project aims for and decides nothing.');
  if (heads.includes('Part of the limit')) words.push('A bar is the interval relative to the limit, a triangle the goal.');
  if (heads.includes('× floor')) words.push('The floor is the same operation on this machine without a web terminal.');
  return words.join(' ');
}

function head(column: Column, scale: ReturnType<typeof bulletScale>): { cell: HTMLElement; button: HTMLButtonElement | null } {
  const button = column.order === 'none' ? null : h('button', { type: 'button', class: 'sort' }, column.head);
  const axis = column.order === 'share' && bulletAxis(scale);
  return { cell: h('th', { scope: 'col', class: column.className }, button ?? column.head, axis), button };
}

function choices(rows: readonly OverviewRow[], view: View, show: () => void): HTMLElement {
  const number = (holds: (row: OverviewRow) => boolean): number => rows.filter(holds).length;
  const options: [value: string, words: string, n: number][] = [
    ['judged', 'Targets and goals', number(isJudged)],
    ['fail', 'Failed', number((row) => row.verdict === 'fail')],
    ['undecided', 'Undecided', number((row) => row.verdict === 'undecided')],
    ['refused', 'Refused', number((row) => row.verdict === 'refused')],
    ['pass', 'Passed', number((row) => row.verdict === 'pass')],
    ['not applicable', 'Not applicable', number((row) => row.verdict === 'not applicable')],
    ['unjudged', 'No target', number((row) => !isJudged(row))],
    ['all', 'All', rows.length],
  ];
  const field = h('fieldset', { class: 'choice filters' }, h('legend', { class: 'unseen' }, 'Show'));
  for (const [value, words, n] of options) {
    if (n === 0 || (value === 'judged' && n === rows.length)) continue;
    const input = h('input', { type: 'radio', name: 'filter', value, checked: value === view.filter });
    input.addEventListener('change', () => {
      view.filter = value;
      show();
    });
    field.append(h('label', {}, input, h('span', {}, `${words} `, h('b', {}, String(n)))));
  }
  return field;
}

function matches(row: OverviewRow, view: View): boolean {
  if (view.filter === 'judged' && !isJudged(row)) return false;
  if (view.filter === 'unjudged' && isJudged(row)) return false;
  if (!['judged', 'unjudged', 'all'].includes(view.filter) && row.verdict !== view.filter) return false;
  const text = `${row.suite}/${row.benchmark} ${row.parameter} ${row.terminal} ${row.statistic} ${row.verdict}`.toLowerCase();
  return view.search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function ordered(rows: OverviewRow[], view: View): OverviewRow[] {
  if (view.order === 'none') return rows;
  const last = view.down ? -1 : 1;
  const key = (row: OverviewRow): string | number | null => {
    if (view.order === 'benchmark') return `${row.benchmark}/${row.parameter}`;
    if (view.order === 'share') return row.bullet?.value ?? null;
    if (view.order === 'change') return row.change === '' ? null : Number(row.change.replace('−', '-').replace(/[^\d.-]/g, ''));
    return row.keys[view.order] ?? null;
  };
  return [...rows].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    // What has no value stands last in either direction.
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    if (typeof a === 'string' || typeof b === 'string') return last * String(a).localeCompare(String(b), 'en', { numeric: true });
    return last * (a - b);
  });
}

function bySuite(page: ReportPage, rows: readonly OverviewRow[], columns: readonly Column[], scale: ReturnType<typeof bulletScale>, several: boolean): HTMLElement[] {
  const found: HTMLElement[] = [];
  let suite: string | null = null;
  for (const row of rows) {
    if (row.suite !== suite) {
      suite = row.suite;
      found.push(h('tr', { class: 'suite' }, h('th', { colspan: columns.length, scope: 'rowgroup' }, spoken(suite))));
    }
    found.push(line(page, row, columns, scale, several, false));
  }
  return found;
}

function line(page: ReportPage, row: OverviewRow, columns: readonly Column[], scale: ReturnType<typeof bulletScale>, several: boolean, suite: boolean): HTMLElement {
  const cells: Record<string, () => Child[]> = {
    Verdict: () => [verdictMark(row.verdict, isJudged(row) && row.verdict === 'none' ? 'goal only' : row.verdict, row.reason)],
    Benchmark: () => [
      h('a', { href: addressOf(page, row.anchor, row.panel) }, breakable(row.benchmark), row.parameter !== '' && h('span', { class: 'parameter' }, ` ${row.parameter}`)),
      h('span', { class: 'under' }, [suite ? spoken(row.suite) : '', row.statistic].filter((text) => text !== '').join(' · '), (several || row.role !== 'subject') && h('span', { class: `terminal ${colourOf(row.terminal)}` }, row.terminal)),
    ],
    Result: () => [h('span', { class: 'strong' }, row.value === '' ? '–' : row.value), row.interval !== '' && h('span', { class: 'under' }, row.interval)],
    'Part of the limit': () => [row.bullet !== null && bullet(row.bullet, row.verdict, scale)],
    Target: () => [
      row.target === '' ? (row.goal === '' ? '' : 'goal only') : row.target,
      row.goal !== '' && h('span', { class: 'under' }, `goal ${row.goal} `, h('span', { class: `goal-mark ${verdictClass(row.goal_verdict)}` }, glyph(row.goal_verdict)), h('span', { class: 'unseen' }, row.goal_verdict)),
    ],
    '× floor': () => [row.floor],
    Change: () => [h('span', { class: `change-${row.change_words.split(' ')[0] ?? ''}` }, row.change), row.change_words !== '' && h('span', { class: 'under' }, row.change_words)],
  };
  return h('tr', {}, ...columns.map((column) => h('td', { class: column.className }, ...(cells[column.head]?.() ?? []))));
}

/** A verdict as sign and word, so that it does not depend on colour or sign alone. */
export function verdictMark(verdict: string, words: string, reason = ''): HTMLElement {
  const none = verdict === 'none' && words === 'none';
  return h(
    'span',
    { class: `verdict ${verdictClass(verdict)}`, title: reason === '' ? null : reason },
    h('span', { class: 'sign', 'aria-hidden': 'true' }, glyph(verdict)),
    h('span', { class: none ? 'unseen' : 'word' }, none ? 'no target' : words),
  );
}
