/** Small tables below the charts. */

import type { ResultDetails, OutlierClass, StatisticRow } from './data';
import { h, type Child } from './dom';

/** Lower bound, estimate and upper bound, as Criterion lays them out. */
export function estimates(caption: string, rows: readonly StatisticRow[]): HTMLElement | null {
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

export function outliers(rows: readonly OutlierClass[], total: string): HTMLElement | null {
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

/** Everything about one terminal at one parameter, below its charts. */
export function factsOf(facts: ResultDetails, level: string): HTMLElement {
  const parts: Child[] = [
    estimates(`Estimates, ${level} intervals`, facts.rows),
    estimates(`Over the floor (${facts.floor})`, facts.over_floor),
    estimates(`Change since the baseline${facts.change === '' ? '' : `: ${facts.change}`}`, facts.changes),
    outliers(facts.outliers, facts.outlier_total),
  ];
  return h('div', { class: 'tables' }, ...parts);
}
