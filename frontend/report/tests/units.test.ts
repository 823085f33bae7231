import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { quantity, tick } from '../src/units';

/** `tests/bench/test_report_html.py` reads the same lines. */
const LINES = JSON.parse(readFileSync(new URL('./units.json', import.meta.url), 'utf8')) as [number, string, string, string][];

describe('numbers are written as the rest of the report writes them', () => {
  it.each(LINES)('%d %s is %s', (value, unit, words, short) => {
    expect(quantity(value, unit)).toBe(words);
    expect(tick(value, unit)).toBe(short);
  });
});
