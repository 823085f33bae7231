/**
 * Numbers as people read them, by the rules of `src/web_terminal_suite/bench/report/units.py`: three significant digits and
 * a fitting unit. `tests/units.json` is read by the tests of both.
 */

type Step = readonly [name: string, factor: number];

const TIMES: readonly Step[] = [
  ['ns', 1],
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
];
const BYTES: readonly Step[] = [
  ['B', 1],
  ['kB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
];
const COUNTS: readonly Step[] = [
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
];
const BYTE_WORDS = ['B', 'byte', 'bytes'];
const FEWEST_TO_SCALE = 9_950;

/** `value` with its unit, such as `412 µs`, `9.20 kB/session`, `188k msg/s`, `1.25x`. */
export function quantity(value: number, unit: string): string {
  const [number, scaled] = scaledBy(value, unit);
  return joined(number, scaled);
}

/** A number of an axis: as `quantity`, without zeros that say nothing. */
export function tick(value: number, unit: string): string {
  const [number, scaled] = scaledBy(value, unit);
  return joined(number.includes('.') ? number.replace(/\.?0+(?=\D*$)/, '') : number, scaled.replace(/\/session$/, ''));
}

function scaledBy(value: number, unit: string): [number: string, unit: string] {
  const slash = unit.indexOf('/');
  const head = slash < 0 ? unit : unit.slice(0, slash);
  const tail = slash < 0 ? '' : unit.slice(slash);
  const scale = head === 'ns' ? TIMES : BYTE_WORDS.includes(head) ? BYTES : null;
  if (scale !== null) {
    const [name, factor] = step(value, scale);
    return [digits(value / factor, factor === 1), name + tail];
  }
  if (unit === 'x') return [digits(value), unit];
  if (tail !== '' && Math.abs(value) >= FEWEST_TO_SCALE) {
    const [name, factor] = step(value, COUNTS);
    return [digits(value / factor) + name, unit];
  }
  const whole = Math.abs(value) >= 1000 || Number.isInteger(value);
  return [whole ? grouped(value, 0) : digits(value), unit];
}

function step(value: number, scale: readonly Step[]): Step {
  // 999.6 µs would round to 1000 µs, so the choice is made on the rounded number.
  const fitting = scale.filter(([, factor]) => Math.abs(value) >= 0.9995 * factor);
  return fitting.at(-1) ?? scale[0] ?? ['', 1];
}

function digits(value: number, whole = false): string {
  const size = Math.abs(value);
  if (whole && Number.isInteger(value)) return value.toFixed(0);
  if (size >= 99.95) return grouped(value, 0);
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function grouped(value: number, places: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: places, maximumFractionDigits: places });
}

function joined(number: string, unit: string): string {
  if (unit === '') return number;
  return unit === 'x' ? `${number}${unit}` : `${number} ${unit}`;
}
