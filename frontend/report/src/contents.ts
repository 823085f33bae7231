/** The table of contents, with the verdict of each benchmark and a mark at the section in view. */

import { COMPARISON_TITLE } from './terminalComparison';
import type { ReportPage } from './data';
import { DESCRIPTIONS_TITLE } from './descriptions';
import { breakable, h } from './dom';
import { glyph, verdictClass } from './appearance';
import { overviewTitle } from './overview';
import { spoken } from './text';

/** The sections before the benchmarks; a published comparison comes before the targets. */
export function front(page: ReportPage): [id: string, title: string][] {
  const found: [string, string][] = [['overview', overviewTitle(page)]];
  if (page.comparison !== null) found.push(['comparison', COMPARISON_TITLE]);
  if (page.brief) found.reverse();
  return found;
}

export function contents(page: ReportPage, root: HTMLElement, details: HTMLDetailsElement): void {
  const link = (id: string, words: string, verdict = ''): HTMLElement =>
    h(
      'a',
      { href: `#${id}`, 'data-for': id },
      verdict !== '' && h('span', { class: `sign ${verdictClass(verdict)}`, title: verdict }, glyph(verdict)),
      h('span', {}, breakable(words)),
    );
  const suites = new Map<string, HTMLElement[]>();
  for (const each of page.brief ? [] : page.benchmarks) {
    const items = suites.get(each.suite) ?? [];
    items.push(h('li', {}, link(each.anchor, each.name, each.verdicts[0] ?? 'none')));
    suites.set(each.suite, items);
  }
  root.replaceChildren(
    h('ul', {}, ...front(page).map(([id, words]) => h('li', {}, link(id, words)))),
    ...[...suites].flatMap(([suite, items]) => [h('p', { class: 'kind' }, spoken(suite)), h('ul', {}, ...items)]),
    h('ul', { class: 'last' }, page.brief && h('li', {}, link('benchmarks', DESCRIPTIONS_TITLE)), h('li', {}, link('environment', 'Environment')), h('li', {}, link('reading', 'How to read this'))),
  );
  const narrow = matchMedia('(max-width: 1099px)');
  const adapt = (): void => {
    details.open = !narrow.matches;
  };
  narrow.addEventListener('change', adapt);
  adapt();
  root.addEventListener('click', (event) => {
    if (narrow.matches && event.target instanceof Element && event.target.closest('a') !== null) details.open = false;
  });
  follow(root);
}

function follow(root: HTMLElement): void {
  const links = new Map([...root.querySelectorAll('a')].map((each) => [each.dataset['for'] ?? '', each]));
  const seen = new Set<string>();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) seen.add(entry.target.id);
        else seen.delete(entry.target.id);
      }
      const first = [...links.keys()].find((id) => seen.has(id));
      for (const [id, each] of links) {
        if (id === first) each.setAttribute('aria-current', 'true');
        else each.removeAttribute('aria-current');
      }
    },
    { rootMargin: '-10% 0px -70% 0px' },
  );
  for (const id of links.keys()) {
    const target = document.getElementById(id);
    if (target !== null) observer.observe(target);
  }
}
