/** The page of a report, assembled from its parts. */

import { section, type Section } from './benchmark';
import { terminalComparison } from './terminalComparison';
import { drawAll } from './chart';
import { contents, front } from './contents';
import type { ReportPage } from './data';
import { record } from './record';
import { descriptions } from './descriptions';
import { breakable, byId, h, type Child } from './dom';
import { environment, reading } from './environment';
import { assign } from './appearance';
import { overview, verdictMark } from './overview';
import { spoken } from './text';

const WORDS: Record<string, string> = { pass: 'passed', fail: 'failed', undecided: 'undecided', refused: 'refused', 'not applicable': 'not applicable' };

function outcome(page: ReportPage): void {
  const judged = Object.entries(page.verdicts).filter(([verdict]) => verdict !== 'not applicable');
  const targets = judged.reduce((sum, [, n]) => sum + n, 0);
  const parts = Object.entries(page.verdicts)
    .filter(([, n]) => n > 0)
    .map(([verdict, n]) => verdictMark(verdict, `${n} ${WORDS[verdict] ?? verdict}`));
  const [met, goals] = page.goals;
  const whose = page.judged === '' ? '' : `${page.judged}: `;
  const outcome: Child[] = [
    h('span', { class: 'total' }, whose, targets === 0 ? (whose === '' ? 'No targets' : 'no targets') : `${targets} ${targets === 1 ? 'target' : 'targets'}`),
    ...parts,
    goals > 0 && h('span', { class: 'goals' }, `${met} of ${goals} goals met`),
    page.exit_words !== '' && h('span', { class: 'exit' }, `exit status ${page.exit_code}: ${page.exit_words}`),
  ];
  byId('outcome').replaceChildren(...outcome.filter((part) => part instanceof Node));
}

function notices(page: ReportPage): void {
  const found: HTMLElement[] = [];
  if (page.partial.length > 0) {
    found.push(h('div', { class: 'notice partial', role: 'note' }, h('b', {}, 'This report is partial. '), ...page.partial.map((each) => h('span', {}, breakable(`${each}. `)))));
  }
  if (page.warnings.length > 0) {
    const many = page.warnings.length === 1 ? 'a warning' : `${page.warnings.length} warnings`;
    found.push(h('p', { class: 'notice' }, h('b', {}, `The machine gives ${many}: `), page.warnings.map((each) => each.seen).join('; '), '. ', h('a', { href: '#environment' }, 'What to do')));
  }
  if (page.baseline.length > 0) {
    found.push(h('p', { class: 'notice' }, h('b', {}, 'Compared with '), `${page.baseline.join('. ')}.`));
  }
  byId('notices').replaceChildren(...found);
}

function colours(): void {
  byId('theme').addEventListener('change', (event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    if (event.target.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = event.target.value;
  });
}

/** Follow an address such as `#suite/name`, or `#suite/name@3` to the panel it names, and unfold what is there. */
function go(sections: ReadonlyMap<string, Section>): void {
  const [id = '', panel] = decodeURIComponent(location.hash.slice(1)).split('@');
  const found = sections.get(id);
  if (found === undefined) return;
  found.details.open = true;
  if (panel !== undefined) found.select(Number(panel));
  found.element.scrollIntoView();
  found.element.focus({ preventScroll: true });
}

/** The benchmarks of each suite under its name, below a button that unfolds or folds all. */
function benchmarks(page: ReportPage, sections: ReadonlyMap<string, Section>): HTMLElement[] {
  const suites = new Map<string, HTMLElement>();
  for (const each of page.benchmarks) {
    const found = sections.get(each.anchor);
    if (found === undefined) continue;
    const suite = suites.get(each.suite) ?? h('section', { class: 'suite-section' }, h('h2', { class: 'suite-title' }, spoken(each.suite)));
    suites.set(each.suite, suite);
    suite.append(found.element);
  }
  const every = [...sections.values()].map(({ details }) => details);
  if (every.length === 1) for (const each of every) each.open = true;
  const all = h('button', { type: 'button', id: 'unfold' });
  const isFolded = (): boolean => every.some((each) => !each.open);
  const label = (): void => {
    all.textContent = isFolded() ? 'Unfold all benchmarks' : 'Fold all benchmarks';
  };
  all.addEventListener('click', () => {
    const open = isFolded();
    for (const each of every) each.open = open;
    label();
  });
  // One by one they may all have been unfolded, too.
  for (const each of every) each.addEventListener('toggle', label);
  label();
  return [h('div', { class: 'tools fold' }, all), h('p', { class: 'note on-paper' }, 'Benchmarks that are folded on the screen are not printed.'), ...suites.values()];
}

function start(): void {
  const page = record();
  assign(page);
  byId('title').textContent = page.title;
  byId('kind').textContent = `Benchmark report, ${page.started}`;
  outcome(page);
  byId('facts').replaceChildren(...page.facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
  notices(page);
  colours();
  overview(page, byId('overview'));
  if (page.comparison === null) byId('comparison').remove();
  else terminalComparison(page, page.comparison, byId('comparison'));
  byId('main').prepend(...front(page).map(([id]) => byId(id)));
  const sections = new Map<string, Section>();
  if (page.brief) descriptions(page.benchmarks, byId('benchmarks'));
  else for (const each of page.benchmarks) sections.set(each.anchor, section(each, page.level));
  if (!page.brief && sections.size > 0) byId('benchmarks').append(...benchmarks(page, sections));
  environment(page, byId('environment'));
  reading(page, byId('reading'));
  const details = byId('contents-details');
  if (details instanceof HTMLDetailsElement) contents(page, byId('contents'), details);
  byId('bottom').textContent = `Made by web-terminal ${page.version} from the record of ${page.started}. This file is self-contained and makes no requests.`;
  addEventListener('hashchange', () => {
    go(sections);
  });
  // The address of a benchmark that was folded again stays the same.
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link !== null && link.getAttribute('href')?.startsWith('#') === true && link.hash === location.hash) go(sections);
  });
  addEventListener('beforeprint', drawAll);
  go(sections);
  document.documentElement.dataset['state'] = 'ready';
}

start();
