/** The terminals of one run compared with the first: scores, the figures most readers look for, and all figures. */

import { figure } from './chart';
import { forestChart } from './charts/forest';
import type { ComparisonSection, ComparedTerminal, ReportPage } from './data';
import { h, s, type Child } from './dom';
import { terminalMark } from './appearance';
import { figureTable } from './figureTable';
import { sentence } from './text';

export const COMPARISON_TITLE = 'Terminals compared';

const BAR_WIDTH = 180;
const BAR_HEIGHT = 10;

export function terminalComparison(page: ReportPage, comparison: ComparisonSection, root: HTMLElement): void {
  const [first, ...others] = comparison.terminals;
  if (first === undefined) return;
  const forest = forestChart(comparison, page.level);
  const parts: Child[] = [
    h('h2', { id: 'comparison-title' }, COMPARISON_TITLE),
    h('p', { class: 'description' }, lead(first.name, others.length, page.level)),
    h('ul', { class: 'standings' }, standing(first, first.name), ...others.map((each) => standing(each, first.name))),
    comparison.absent.length > 0 && h('p', { class: 'note' }, `Not measured: ${comparison.absent.join('. ')}.`),
    forest !== null && h('h3', {}, 'Summary'),
    forest !== null && figure(forest, 'forest'),
    h('h3', {}, 'Figures'),
    ...figureTable(page, comparison),
  ];
  root.replaceChildren(...parts.filter((part) => part instanceof Node));
}

function lead(first: string, others: number, level: string): string {
  const whose = others === 1 ? 'the other terminal’s figure' : 'another terminal’s figure';
  return (
    `Measured in one interleaved run, block by block. Each ratio divides ${whose} by ${first}’s within a block and has a ${level} confidence interval. ` +
    `A difference is significant where the interval excludes 1. Intervals are not corrected for their number, so some miss the true ratio by chance.`
  );
}

function standing(of: ComparedTerminal, first: string): HTMLElement {
  return h(
    'li',
    {},
    h('p', { class: 'who' }, terminalMark(of.name), h('b', {}, of.name), h('span', { class: 'under' }, of.version)),
    of.score === null ? h('p', { class: 'score faint' }, 'what the others are compared with') : score(of.score, first),
    h('p', { class: 'to-know' }, of.remarks.map(sentence).join(' ')),
  );
}

function score([ahead, behind, neither]: [number, number, number], first: string): HTMLElement {
  const all = Math.max(1, ahead + behind + neither);
  const bar = s('svg', { class: 'score-bar', width: BAR_WIDTH, height: BAR_HEIGHT, viewBox: `0 0 ${BAR_WIDTH} ${BAR_HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  let x = 0;
  for (const [standing, n] of [['ahead', ahead], ['neither', neither], ['behind', behind]] as const) {
    const width = (n / all) * BAR_WIDTH;
    if (n > 0) bar.append(s('rect', { class: `s-${standing}`, x, width: Math.max(1, width - 1), y: 0, height: BAR_HEIGHT }));
    x += width;
  }
  return h(
    'p',
    { class: 'score' },
    bar,
    h('span', { class: 's-ahead' }, h('span', { class: 'sign', 'aria-hidden': 'true' }, '▲'), ` ${ahead} better`),
    h('span', { class: 's-behind' }, h('span', { class: 'sign', 'aria-hidden': 'true' }, '▼'), ` ${behind} worse`),
    h('span', { class: 'faint' }, `${neither} not significant`),
    h('span', { class: 'unseen' }, ` from ${first}, of ${all} figures`),
  );
}
