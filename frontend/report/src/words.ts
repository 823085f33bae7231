/** Words of a record made into sentences. */

import { h, type Child } from './dom';

/** `yes` in backticks is a program's word. */
export function prose(text: string): Child[] {
  return text.split(/`([^`]+)`/).map((part, place) => (place % 2 === 1 ? h('code', {}, part) : part));
}

export function sentence(text: string): string {
  if (text === '') return '';
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** The catalogue says "Not the shell's start": that becomes a sentence of its own. */
export function notShown(text: string): Child[] {
  const found = /^not (.*)$/is.exec(text);
  return found === null ? [h('span', {}, 'Limits '), ...prose(text)] : [h('span', {}, 'Does not show '), ...prose(found[1] ?? '')];
}

/** The name of a suite as it is read. */
export function spoken(suite: string): string {
  return suite.replaceAll('_', ' ');
}
