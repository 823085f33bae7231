/** The environment of the run, warnings about it, and how to read the report. */

import type { ReportPage } from './data';
import { h, type Child } from './dom';
import { sentence } from './text';

export function environment(page: ReportPage, root: HTMLElement): void {
  const terminals = page.terminals.map((each) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, each.name),
      h('td', {}, each.version),
      h('td', {}, each.role),
      h('td', {}, h('code', {}, each.command)),
      h('td', {}, each.capabilities),
    ),
  );
  const changed = page.environment.some(([, , after]) => after !== '');
  const machine = page.environment.map(([name, before, after]) =>
    h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, before), changed && h('td', {}, after)),
  );
  const parts: Child[] = [
    h('h2', { id: 'environment-title' }, 'Environment'),
    page.warnings.length > 0 &&
      h(
        'ul',
        { class: 'warnings' },
        ...page.warnings.map((each) => h('li', {}, h('b', {}, sentence(each.seen)), ` ${sentence(each.matters)} `, h('span', { class: 'remedy' }, sentence(each.remedy)))),
      ),
    h('h3', {}, 'Terminals'),
    scroll('Terminals', h('table', { class: 'plain' }, headed(['', 'Version', 'Role', 'Command', 'Capabilities']), h('tbody', {}, ...terminals))),
    machine.length > 0 && h('h3', {}, 'Machine'),
    machine.length > 0 &&
      scroll('Machine', h('table', { class: 'plain' }, headed(changed ? ['', 'Before', 'After, where it differs'] : ['', '']), h('tbody', {}, ...machine))),
    page.options.length > 0 && h('h3', {}, 'Options'),
    page.options.length > 0 &&
      h('dl', { class: 'facts' }, ...page.options.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
  ];
  root.replaceChildren(...parts.filter((part) => part instanceof Node));
}

export function reading(page: ReportPage, root: HTMLElement): void {
  const drawn = !page.brief;
  const terms: [string, string, shown?: boolean][] = [
    ['Verdict', 'Decided by the whole interval: pass if all of it is on the good side of the limit, fail if all of it is on the other side, undecided if it contains the limit or the sample is too small. Refused: the measuring client was too busy for the figure to be valid.'],
    ['Interval', `A ${page.level} confidence interval: ${page.level} of such intervals contain the true figure. Intervals of percentiles use ranks only and assume nothing about the distribution.`],
    ['Percentile', 'A measured value: 95 % of all operations, failed ones included, took at most as long as p95. Where a sample is too small for one, the report says how many more operations are needed.'],
    ['Ratio', 'Another terminal’s figure divided by the first one’s, for the same operation in the same block. Below 1 it took less. A difference is significant if the interval of the ratio excludes 1; a significant difference may still be too small to matter.', page.comparison !== null],
    ['Floor', 'What this machine takes without a web terminal, measured interleaved in the same run. Added is the difference, × floor the quotient.'],
    ['Outlier', 'Beyond 1.5 (mild) or 3 (severe) interquartile ranges from the quartiles. Outliers are labelled and counted, never removed.'],
    ['Warm-up', 'Operations before the measurement, shown lighter. They are in no figure.', drawn],
    ['Density', 'On a logarithmic axis, the density is over the logarithm: equal areas are equal numbers of operations.', drawn],
    ['Keys', `/ goes to the search. In a chart the arrow keys move${drawn ? ', and in the tabs of a benchmark' : ''}.`],
  ];
  root.replaceChildren(
    h('h2', { id: 'reading-title' }, 'How to read this'),
    h('dl', { class: 'terms' }, ...terms.filter(([, , shown]) => shown !== false).map(([term, words]) => h('div', {}, h('dt', {}, term), h('dd', {}, words)))),
  );
}

function headed(heads: readonly string[]): HTMLElement {
  return h('thead', {}, h('tr', {}, ...heads.map((each) => (each === '' ? h('td') : h('th', { scope: 'col' }, each)))));
}

function scroll(name: string, table: HTMLElement): HTMLElement {
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': name }, table);
}
