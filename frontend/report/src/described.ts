/** The benchmarks of a report that has no panels: what each measures, and what it does not show. */

import type { Benchmark, Page } from './data';
import { breakable, h } from './dom';
import { notShown, prose, spoken } from './words';

export const DESCRIBED_TITLE = 'What was measured';

/** Where the figures of a benchmark lead to: its panel, or what it measures. */
export function addressOf(page: Page, anchor: string, panel: number): string {
  return page.brief ? `#${anchor}` : `#${anchor}@${panel}`;
}

export function described(benchmarks: readonly Benchmark[], root: HTMLElement): void {
  const suites = new Map<string, Benchmark[]>();
  for (const each of benchmarks) suites.set(each.suite, [...(suites.get(each.suite) ?? []), each]);
  root.classList.add('block');
  root.replaceChildren(
    h('h2', { id: 'benchmarks-title' }, DESCRIBED_TITLE),
    ...[...suites].flatMap(([suite, found]) => [h('h3', {}, spoken(suite)), h('dl', { class: 'terms benchmarks' }, ...found.map(entry))]),
  );
}

function entry(of: Benchmark): HTMLElement {
  return h(
    'div',
    { id: of.anchor, tabindex: -1 },
    h('dt', {}, breakable(of.name)),
    h('dd', {}, ...prose(of.description), of.component && ' A component, in one process.', ' ', of.not_shown !== '' && h('span', { class: 'not-shown' }, ...notShown(of.not_shown))),
  );
}
