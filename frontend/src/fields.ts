/**
 * Checks of the fields of a message, and the values that they have when they are not sent.
 *
 * `messages.ts` has them for every message of the protocol.
 */

/** The check of a field, and its default; a field without a default is required. */
export interface Field {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  readonly default?: unknown;
  /** The fields of an object. */
  readonly fields?: Fields;
}

export type Fields = Readonly<Record<string, Field>>;

// JSON can encode half a surrogate pair, which is not a character and has no UTF-8.
const LONE_SURROGATE = /\p{Surrogate}/u;
export const text: Field = {
  expected: 'a string of characters',
  accepts: (value) => typeof value === 'string' && !LONE_SURROGATE.test(value),
};
// Python's integers are unbounded, but doubles are exact only up to 2^53 - 1: a larger offset would be silently wrong.
export const integer: Field = {
  expected: 'an integer of at most 53 bits',
  accepts: (value) => Number.isSafeInteger(value),
};
export const number: Field = { expected: 'a number', accepts: (value) => typeof value === 'number' };
export const flag: Field = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
export const texts: Field = {
  expected: 'a list of strings',
  accepts: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};
export const oneOf = (...values: readonly string[]): Field => ({
  expected: values.join(' or '),
  accepts: (value) => typeof value === 'string' && values.includes(value),
});
export const object = (fields: Fields): Field => ({
  expected: `an object of ${Object.keys(fields).join(', ')}`,
  accepts: (value) => isObject(value) && firstError(value, fields) === null,
  fields,
});
export const optional = (field: Field, absent: unknown): Field => ({
  ...field,
  accepts: (value) => (absent === null && value === null) || field.accepts(value),
  default: absent,
});

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Describes the first field that is missing or has the wrong type. Unknown fields, of a later version, are ignored. */
export function firstError(value: Record<string, unknown>, fields: Fields): string | null {
  for (const [name, field] of Object.entries(fields)) {
    if (!Object.hasOwn(value, name)) {
      if (field.default === undefined) return `${name} is missing`;
    } else if (!field.accepts(value[name])) {
      return `${name} is not ${field.expected}`;
    }
  }
  return null;
}

/** The known fields of a checked object, with the defaults of those that were not sent. */
export function withDefaults(value: Record<string, unknown>, fields: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const given = value[name] ?? field.default;
      return [name, field.fields && isObject(given) ? withDefaults(given, field.fields) : given];
    }),
  );
}

/** Fields that have these values are not sent; a nested object has its own defaults. */
export interface Defaults {
  readonly [name: string]: unknown;
}

class NestedDefaults {
  constructor(readonly defaults: Defaults) {}
}

export const nested = (defaults: Defaults): NestedDefaults => new NestedDefaults(defaults);

/** The fields that differ from their defaults. */
export function withoutDefaults(value: object, defaults: Defaults): object {
  const present = Object.entries(value).filter(([name, field]) => {
    const absent = defaults[name] instanceof NestedDefaults ? null : defaults[name];
    return JSON.stringify(field) !== JSON.stringify(absent);
  });
  return Object.fromEntries(
    present.map(([name, field]) => {
      const inner = defaults[name];
      return [name, inner instanceof NestedDefaults ? withoutDefaults(field as object, inner.defaults) : (field as unknown)];
    }),
  );
}
