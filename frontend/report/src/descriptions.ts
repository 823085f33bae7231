/** The benchmarks of a brief report: what each measures, and its limitations. */

import type { BenchmarkSection, ReportPage } from './data';
import { breakable, h } from './dom';
import { limitations, prose, spoken } from './text';

export const DESCRIPTIONS_TITLE = 'What was measured';

/** The target of a link to a benchmark: its panel, or its description on a brief page. */
export function addressOf(page: ReportPage, anchor: string, panel: number): string {
  return page.brief ? `#${anchor}` : `#${anchor}@${panel}`;
}

export function descriptions(benchmarks: readonly BenchmarkSection[], root: HTMLElement): void {
  const suites = new Map<string, BenchmarkSection[]>();
  for (const each of benchmarks) suites.set(each.suite, [...(suites.get(each.suite) ?? []), each]);
  root.classList.add('block');
  root.replaceChildren(
    h('h2', { id: 'benchmarks-title' }, DESCRIPTIONS_TITLE),
    ...[...suites].flatMap(([suite, found]) => [h('h3', {}, spoken(suite)), h('dl', { class: 'terms benchmarks' }, ...found.map(entry))]),
  );
}

function entry(of: BenchmarkSection): HTMLElement {
  return h(
    'div',
    { id: of.anchor, tabindex: -1 },
    h('dt', {}, breakable(of.name)),
    h('dd', {}, ...prose(of.description), of.component && ' A component, in one process.', ' ', of.limitations !== '' && h('span', { class: 'limitations' }, ...limitations(of.limitations))),
  );
}
