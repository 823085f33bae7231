/** The terminals of one run beside its first: what is compared, who stands where, the figures most ask for, and all. */

import { figure } from './chart';
import { forestChart } from './charts/forest';
import type { Beside, BesideTerminal, Page } from './data';
import { h, s, type Child } from './dom';
import { terminalMark } from './looks';
import { matrix } from './matrix';
import { sentence } from './words';

export const BESIDE_TITLE = 'Terminals beside each other';

const BAR_WIDTH = 180;
const BAR_HEIGHT = 10;

export function besides(page: Page, beside: Beside, root: HTMLElement): void {
  const [first, ...others] = beside.terminals;
  if (first === undefined) return;
  const forest = forestChart(beside, page.level);
  const parts: Child[] = [
    h('h2', { id: 'beside-title' }, BESIDE_TITLE),
    h('p', { class: 'description' }, lead(first.name, others.length, page.level)),
    h('ul', { class: 'standings' }, standing(first, first.name), ...others.map((each) => standing(each, first.name))),
    beside.absent.length > 0 && h('p', { class: 'note' }, `Not measured: ${beside.absent.join('. ')}.`),
    forest !== null && h('h3', {}, 'In short'),
    forest !== null && figure(forest, 'forest'),
    h('h3', {}, 'Figures'),
    ...matrix(page, beside),
  ];
  root.replaceChildren(...parts.filter((part) => part instanceof Node));
}

function lead(first: string, others: number, level: string): string {
  const whose = others === 1 ? 'the other’s figure' : 'another’s figure';
  return (
    `Measured in one run in which they took turns, block by block. Each ratio is ${whose} over ${first}’s, within a block, with its ${level} interval; ` +
    `who is better is said where the interval leaves 1 out. Every interval stands for itself, and of so many some miss by chance.`
  );
}

function standing(of: BesideTerminal, first: string): HTMLElement {
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
  for (const [look, n] of [['ahead', ahead], ['neither', neither], ['behind', behind]] as const) {
    const width = (n / all) * BAR_WIDTH;
    if (n > 0) bar.append(s('rect', { class: `s-${look}`, x, width: Math.max(1, width - 1), y: 0, height: BAR_HEIGHT }));
    x += width;
  }
  return h(
    'p',
    { class: 'score' },
    bar,
    h('span', { class: 's-ahead' }, h('span', { class: 'sign', 'aria-hidden': 'true' }, '▲'), ` ${ahead} better`),
    h('span', { class: 's-behind' }, h('span', { class: 'sign', 'aria-hidden': 'true' }, '▼'), ` ${behind} worse`),
    h('span', { class: 'faint' }, `${neither} not told apart`),
    h('span', { class: 'unseen' }, ` from ${first}, of ${all} figures`),
  );
}
