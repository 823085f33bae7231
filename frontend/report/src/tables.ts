/** Small tables of words beside the charts. */

import type { Facts, Outlier, Row } from './data';
import { h, type Child } from './dom';

/** Lower bound, estimate and upper bound, as Criterion lays them out. */
export function estimates(caption: string, rows: readonly Row[]): HTMLElement | null {
  if (rows.length === 0) return null;
  const lines = rows.map((row) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, row.name),
      ...(row.value === ''
        ? [h('td', { colspan: 3, class: 'refusal' }, row.refusal)]
        : [
            h('td', { class: 'number faint' }, row.lower),
            h('td', { class: 'number strong', title: row.refusal === '' ? null : row.refusal }, row.value),
            h('td', { class: 'number faint' }, row.upper),
          ]),
    ),
  );
  return table(caption, ['', 'Lower', 'Estimate', 'Upper'], lines);
}

export function outliers(rows: readonly Outlier[], total: string): HTMLElement | null {
  if (rows.length === 0) return null;
  const lines = rows.map((row) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, row.name),
      h('td', { class: 'number' }, row.count),
      h('td', { class: 'number faint' }, row.share),
    ),
  );
  return table(`Outliers: ${total}`, ['', 'Operations', 'Share'], lines);
}

export function table(caption: string, heads: readonly string[], lines: readonly HTMLElement[]): HTMLElement {
  return h(
    'table',
    { class: 'small' },
    h('caption', {}, caption),
    heads.some((each) => each !== '') &&
      h('thead', {}, h('tr', {}, ...heads.map((each) => (each === '' ? h('td') : h('th', { scope: 'col', class: 'number' }, each))))),
    h('tbody', {}, ...lines),
  );
}

/** Everything said of one terminal at one place, under its charts. */
export function factsOf(facts: Facts, level: string): HTMLElement {
  const parts: Child[] = [
    estimates(`Estimates, ${level} intervals`, facts.rows),
    estimates(`Over the floor (${facts.floor})`, facts.over_floor),
    estimates(`Change since the baseline${facts.change === '' ? '' : `: ${facts.change}`}`, facts.changes),
    outliers(facts.outliers, facts.outlier_total),
  ];
  return h('div', { class: 'tables' }, ...parts);
}
