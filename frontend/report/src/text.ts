/** Text of a record as sentences. */

import { h, type Child } from './dom';

/** Text with code in backticks. */
export function prose(text: string): Child[] {
  return text.split(/`([^`]+)`/).map((part, place) => (place % 2 === 1 ? h('code', {}, part) : part));
}

export function sentence(text: string): string {
  if (text === '') return '';
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** The limitations of a benchmark; "Not the shell's start" becomes "Does not show the shell's start". */
export function limitations(text: string): Child[] {
  const found = /^not (.*)$/is.exec(text);
  return found === null ? [h('span', {}, 'Limitations '), ...prose(text)] : [h('span', {}, 'Does not show '), ...prose(found[1] ?? '')];
}

/** The name of a suite without underscores. */
export function spoken(suite: string): string {
  return suite.replaceAll('_', ' ');
}
