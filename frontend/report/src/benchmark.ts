/** The section of one benchmark, folded until it is asked for: what it measures, its cells, and the charts of one. */

import { figure, forget, type Chart } from './chart';
import { timeSeriesChart } from './charts/timeSeries';
import { densityChart } from './charts/density';
import { fitChart } from './charts/fit';
import { historyChart } from './charts/history';
import { parametersChart } from './charts/parameters';
import { percentileChart } from './charts/percentiles';
import { samplesChart } from './charts/samples';
import { violinsChart } from './charts/violins';
import { waterfallChart } from './charts/waterfall';
import { filmstrip } from './filmstrip';
import type { BenchmarkSection, ResultDetails, MetricPanel } from './data';
import { breakable, h, type Child } from './dom';
import { colourOf } from './appearance';
import { verdictMark } from './overview';
import { factsOf } from './tables';
import { limitations, prose, spoken } from './text';

export interface Section {
  element: HTMLElement;
  details: HTMLDetailsElement;
  /** Show the charts of one panel. */
  select: (panel: number) => void;
}

export function section(benchmark: BenchmarkSection, level: string): Section {
  const id = benchmark.anchor;
  // Single readings are in the table and their time series is drawn: charts of them would add nothing.
  const isTimeSeries = benchmark.time_series.length > 0 && benchmark.panels.every((panel) => panel.series.length === 0);
  const panels = isTimeSeries ? [] : benchmark.panels;
  const stage = h('div', { class: 'panel' });
  const tabs = panels.map((panel, place) =>
    h('button', { type: 'button', role: 'tab', id: `${id}/tab-${place}`, 'aria-controls': `${id}/panel` }, panel.label === '' ? 'all' : panel.label),
  );

  const select = (place: number): void => {
    const panel = panels[place];
    if (panel === undefined) return;
    for (const [each, tab] of tabs.entries()) {
      tab.setAttribute('aria-selected', String(each === place));
      tab.tabIndex = each === place ? 0 : -1;
    }
    forget(stage);
    stage.replaceChildren(...panelParts(panel, level, panels.length > 1));
  };

  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener('click', () => {
      select(place);
    });
    tab.addEventListener('keydown', (event) => {
      const last = tabs.length - 1;
      const to = { ArrowRight: place === last ? 0 : place + 1, ArrowLeft: place === 0 ? last : place - 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      select(to);
      tabs[to]?.focus();
    });
  }
  if (panels.length > 1) {
    stage.id = `${id}/panel`;
    stage.setAttribute('role', 'tabpanel');
    stage.setAttribute('aria-label', 'Charts');
  }
  const first = benchmark.summary.findIndex((row) => row.verdict !== 'none');
  const many = benchmark.summary.length > 1;
  const details = h(
    'details',
    {},
    h('summary', {}, h('h3', { id: `${id}/title` }, h('span', {}, breakable(benchmark.name)), ...benchmark.verdicts.map((verdict) => verdictMark(verdict, verdict)))),
    h('p', { class: 'kind' }, spoken(benchmark.suite), benchmark.component && ' · component, in one process'),
    h('p', { class: 'description' }, ...prose(benchmark.description)),
    benchmark.limitations !== '' && h('p', { class: 'limitations' }, ...limitations(benchmark.limitations)),
    many && summary(benchmark),
    isTimeSeries && h('div', {}, ...judged(benchmark.panels)),
    overTime(benchmark),
    steps(benchmark),
    !isTimeSeries && overall(benchmark, level),
    panels.length > 1 && h('div', { class: 'tabs', role: 'tablist', 'aria-label': `Charts of ${benchmark.name}` }, ...tabs),
    stage,
  );
  const element = h('article', { class: 'benchmark', id, 'aria-labelledby': `${id}/title`, tabindex: -1 }, details);
  select(Math.max(0, benchmark.summary[first]?.panel ?? 0));
  return { element, details, select };
}

function overall(benchmark: BenchmarkSection, level: string): HTMLElement | null {
  const charts: Chart[] = [
    ...benchmark.lines.map((lines) => parametersChart(lines, level)),
    ...benchmark.violins.map((violins) => violinsChart(violins, benchmark)),
  ];
  return charts.length === 0 ? null : h('div', { class: 'charts' }, ...charts.map((chart) => figure(chart)));
}

/** The targets of readings, and once for each parameter the problems of all of them. */
function judged(panels: readonly MetricPanel[]): HTMLElement[] {
  const found = new Map<string, HTMLElement>();
  for (const panel of panels) {
    for (const facts of panel.facts) {
      const bare = { ...facts, problems: [], warnings: [], counts: panel.label };
      if (facts.target !== '') found.set(panel.label, headline(bare, false));
      if (facts.problems.length > 0 || facts.warnings.length > 0) {
        found.set(`${panel.parameter}/`, headline({ ...facts, target: '', goal: '', reason: '', counts: panel.parameter }, false));
      }
    }
  }
  return [...found.values()];
}

/** How the run went, chart below chart, so that a second is at the same place in all. */
function overTime(benchmark: BenchmarkSection): HTMLElement | null {
  return benchmark.time_series.length === 0 ? null : h('div', { class: 'time-series' }, ...benchmark.time_series.map((chart) => figure(timeSeriesChart(chart), 'wide')));
}

/** Where the time goes, and what was on the screen meanwhile. */
function steps(benchmark: BenchmarkSection): HTMLElement | null {
  const parts = [...benchmark.waterfalls.map((chart) => figure(waterfallChart(chart), 'wide')), ...benchmark.filmstrips.map(filmstrip)];
  if (benchmark.filmstrips.length > 0) {
    parts.push(h('p', { class: 'note' }, 'Pictures are of the warm-up: each takes the browser some milliseconds, so the keys that count are typed without.'));
  }
  return parts.length === 0 ? null : h('div', { class: 'steps' }, ...parts);
}

function summary(benchmark: BenchmarkSection): HTMLElement {
  const has = (name: 'parameter' | 'floor' | 'change'): boolean => benchmark.summary.some((row) => row[name] !== '');
  const several = (name: 'terminal' | 'metric'): boolean => new Set(benchmark.summary.map((row) => row[name])).size > 1;
  const heads: [string, boolean, string][] = [
    ['Parameter', has('parameter'), ''],
    ['Metric', several('metric'), ''],
    ['Terminal', several('terminal'), ''],
    ['n', true, 'number'],
    ...benchmark.columns.map((name): [string, boolean, string] => [name, true, 'number']),
    ['× floor', has('floor'), 'number'],
    ['Change', has('change'), 'number'],
    ['Verdict', true, ''],
  ];
  const shown = heads.filter(([, yes]) => yes);
  const lines = benchmark.summary.map((row) => {
    const link = (words: string): HTMLElement => h('a', { href: `#${benchmark.anchor}@${row.panel}` }, words);
    const cells: Record<string, Child> = {
      Parameter: link(row.parameter === '' ? 'all' : row.parameter),
      Metric: has('parameter') ? row.metric : link(row.metric),
      Terminal: h('span', { class: `terminal ${colourOf(row.terminal)}` }, row.terminal),
      n: row.n,
      '× floor': row.floor,
      Change: row.change,
      Verdict: verdictMark(row.verdict, row.verdict),
      ...Object.fromEntries(benchmark.columns.map((name, place) => [name, missing(row.figures[place] ?? '')])),
    };
    return h('tr', {}, ...shown.map(([name, , className]) => h('td', { class: className === '' ? null : className }, cells[name])));
  });
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Summary of ${benchmark.name}` },
    h('table', { class: 'summary' }, h('thead', {}, h('tr', {}, ...shown.map(([name, , className]) => h('th', { scope: 'col', class: className === '' ? null : className }, name)))), h('tbody', {}, ...lines)),
  );
}

const missing = (figure: string): Child => (figure === '-' || figure === '' ? h('span', { class: 'faint' }, '–') : figure);

function panelParts(panel: MetricPanel, level: string, named: boolean): HTMLElement[] {
  const found: HTMLElement[] = [];
  if (named && panel.label !== '') found.push(h('h4', { class: 'on-paper' }, panel.label));
  found.push(...panel.facts.map((facts) => headline(facts, panel.facts.length > 1)));
  const charts = [densityChart(panel), percentileChart(panel, level), fitChart(panel, level)].filter((chart) => chart !== null);
  const wide = samplesChart(panel);
  const past = panel.history.map((history) => historyChart(history, panel.unit)).filter((chart) => chart !== null);
  if (charts.length > 0) found.push(h('div', { class: 'charts' }, ...charts.map((chart) => figure(chart))));
  if (wide !== null) found.push(figure(wide, 'wide'));
  found.push(...past.map((chart) => figure(chart, 'wide')));
  for (const facts of panel.facts) {
    if (panel.facts.length > 1) found.push(h('h4', {}, h('span', { class: `terminal ${colourOf(facts.terminal)}` }, facts.terminal)));
    found.push(factsOf(facts, level));
  }
  return found;
}

/** The verdict in a sentence, what it is based on, and problems. */
function headline(facts: ResultDetails, several: boolean): HTMLElement {
  const parts: Child[] = [
    several && h('span', { class: `terminal ${colourOf(facts.terminal)}` }, facts.terminal),
    facts.target !== '' && h('span', { class: 'judged' }, verdictMark(facts.verdict, facts.verdict), ` on ${facts.target}`),
    facts.goal !== '' && h('span', { class: 'judged' }, `goal ${facts.goal}: `, facts.goal_verdict === 'pass' ? 'met' : facts.goal_verdict === 'fail' ? 'not met' : facts.goal_verdict),
    h('span', {}, facts.counts),
  ];
  const remarks = [
    ...(facts.reason === '' ? [] : [[`v-${facts.verdict.replace(' ', '-')}`, facts.reason]]),
    ...(facts.not_applicable === '' ? [] : [['', `not applicable: ${facts.not_applicable}`]]),
    ...facts.problems.map((text) => ['v-fail', text]),
    ...facts.warnings.map((text) => ['v-undecided', text]),
  ];
  return h(
    'div',
    { class: 'headline' },
    h('p', {}, ...parts),
    facts.flame_graphs.length > 0 &&
      h('p', { class: 'flame-graphs' }, 'Flame graphs: ', ...facts.flame_graphs.flatMap((each, place) => [place > 0 && ', ', h('a', { href: each.href }, each.text)])),
    remarks.length > 0 && h('ul', { class: 'remarks' }, ...remarks.map(([className, text]) => h('li', { class: className === '' ? null : className }, text))),
  );
}
