/**
 * Encodes and decodes the frames of the protocol, without any I/O.
 *
 * The counterpart of `src/web_terminal_suite/protocol/codec.py`; `docs/protocol.md` describes the format, and the tests
 * of both sides read `tests/vectors/wire.json`. Control messages are JSON text; input and output are binary frames whose
 * first byte is their kind. This side encodes client messages and decodes server messages. It knows nothing of sockets,
 * of the order of messages, or of their effects.
 */

export const BINARY_SUBPROTOCOL = 'web-terminal.v1';
export const JSON_SUBPROTOCOL = 'web-terminal.v1.json';
export type Subprotocol = typeof BINARY_SUBPROTOCOL | typeof JSON_SUBPROTOCOL;

export type Mode = 'write' | 'read';
export type Encoding = 'utf-8' | 'base64';

/** The properties of a new session; omitted ones come from the server's settings. */
export interface SessionSpec {
  readonly name?: string;
  readonly shell?: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, number>>;
}

export type ClientMessage =
  | { readonly type: 'authenticate'; readonly token: string }
  | {
      readonly type: 'attach';
      readonly session?: string | null;
      readonly spec?: SessionSpec | null;
      readonly cols?: number;
      readonly rows?: number;
      readonly resume_from?: number | null;
      readonly mode?: Mode;
      readonly window?: number | null;
      readonly usage_interval?: number | null;
    }
  | { readonly type: 'input'; readonly data: string; readonly encoding?: Encoding }
  | { readonly type: 'command'; readonly line: string }
  | { readonly type: 'resize'; readonly cols: number; readonly rows: number }
  | { readonly type: 'signal'; readonly name: string }
  | { readonly type: 'ack'; readonly offset: number }
  | { readonly type: 'ping'; readonly id?: number }
  | { readonly type: 'echo'; readonly data: string }
  | { readonly type: 'close'; readonly destroy?: boolean };

/** What a server accepts: size of a message in bytes, and of a terminal in character cells. */
export interface Limits {
  readonly message_bytes: number;
  readonly cols: number;
  readonly rows: number;
}

export interface ConnectionStatus {
  readonly type: 'connection_status';
  readonly status: 'authentication_required' | 'ready';
  readonly subprotocol: string;
  readonly version: string;
  readonly limits: Limits;
}

export interface Attached {
  readonly type: 'attached';
  readonly session: string;
  readonly name: string;
  readonly offset: number;
  readonly end: number;
  readonly cols: number;
  readonly rows: number;
  readonly mode: Mode;
  readonly window: number;
}

/** Terminal output from `offset` on, in either subprotocol. */
export interface Output {
  readonly type: 'output';
  readonly offset: number;
  readonly data: Uint8Array;
}

/** Either `status` or `signal` is set. */
export interface ProcessExited {
  readonly type: 'process_exited';
  readonly session: string;
  readonly offset: number;
  readonly status: number | null;
  readonly signal: string | null;
}

export interface ResourceUsage {
  readonly type: 'resource_usage';
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

export type ServerMessage =
  | ConnectionStatus
  | { readonly type: 'authenticated'; readonly user: string; readonly role: string }
  | Attached
  | Output
  | { readonly type: 'gap'; readonly from: number; readonly to: number }
  | { readonly type: 'process_started'; readonly session: string; readonly pid: number; readonly command: readonly string[] }
  | ProcessExited
  | { readonly type: 'pong'; readonly id: number }
  | { readonly type: 'echo'; readonly data: string | Uint8Array }
  | { readonly type: 'error'; readonly code: string; readonly message: string; readonly fatal: boolean }
  | { readonly type: 'flow_control'; readonly direction: 'input' | 'output'; readonly state: 'paused' | 'resumed' }
  | ResourceUsage
  | { readonly type: 'resized'; readonly cols: number; readonly rows: number };

/**
 * The peer sent something that is not a frame of this protocol; `close` is the close code for it.
 *
 * Text that is not UTF-8 is not included: the browser rejects it before the page receives it.
 */
export class WireError extends Error {
  constructor(
    readonly kind: 'Malformed' | 'UnsupportedData',
    message: string,
  ) {
    super(message);
    this.name = kind;
  }

  get code(): string {
    return { Malformed: 'malformed_message', UnsupportedData: 'unsupported_data' }[this.kind];
  }

  get close(): number {
    return { Malformed: 4400, UnsupportedData: 1003 }[this.kind];
  }
}

const KIND = { output: 1, input: 2, echo: 3 } as const;
const OUTPUT_HEAD_BYTES = 9;

/** The check of a field, and its default; a field without a default is required. */
interface Field {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  readonly default?: unknown;
}

// JSON can encode half a surrogate pair, which is not a character and has no UTF-8.
const LONE_SURROGATE = /\p{Surrogate}/u;
const text: Field = {
  expected: 'a string of characters',
  accepts: (value) => typeof value === 'string' && !LONE_SURROGATE.test(value),
};
// Python's integers are unbounded, but doubles are exact only up to 2^53 - 1: a larger offset would be silently wrong.
const integer: Field = { expected: 'an integer of at most 53 bits', accepts: (value) => Number.isSafeInteger(value) };
const number: Field = { expected: 'a number', accepts: (value) => typeof value === 'number' };
const flag: Field = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
const texts: Field = {
  expected: 'a list of strings',
  accepts: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};
const oneOf = (...values: readonly string[]): Field => ({
  expected: values.join(' or '),
  accepts: (value) => typeof value === 'string' && values.includes(value),
});
const optional = (field: Field, absent: unknown): Field => ({
  expected: field.expected,
  accepts: (value) => (absent === null && value === null) || field.accepts(value),
  default: absent,
});

type Fields = Readonly<Record<string, Field>>;

const LIMITS: Fields = {
  message_bytes: optional(integer, 1 << 20),
  cols: optional(integer, 500),
  rows: optional(integer, 200),
};
const limits: Field = {
  expected: 'an object of limits',
  accepts: (value) => isObject(value) && firstError(value, LIMITS) === null,
};

const SERVER_MESSAGES: Readonly<Record<ServerMessage['type'], Fields>> = {
  connection_status: {
    status: oneOf('authentication_required', 'ready'),
    subprotocol: text,
    version: text,
    limits,
  },
  authenticated: { user: text, role: text },
  attached: {
    session: text,
    name: text,
    offset: integer,
    end: integer,
    cols: integer,
    rows: integer,
    mode: oneOf('write', 'read'),
    window: integer,
  },
  output: { offset: integer, data: text, encoding: optional(oneOf('utf-8', 'base64'), 'utf-8') },
  gap: { from: integer, to: integer },
  process_started: { session: text, pid: integer, command: texts },
  process_exited: { session: text, offset: integer, status: optional(integer, null), signal: optional(text, null) },
  pong: { id: optional(integer, 0) },
  echo: { data: text },
  error: { code: text, message: text, fatal: optional(flag, false) },
  flow_control: { direction: oneOf('input', 'output'), state: oneOf('paused', 'resumed') },
  resource_usage: { cpu_seconds: number, memory_bytes: integer, processes: integer },
  resized: { cols: integer, rows: integer },
};

/** Fields that have these values are not sent; a nested object has its own defaults. */
interface Defaults {
  readonly [name: string]: unknown;
}

class NestedDefaults {
  constructor(readonly defaults: Defaults) {}
}

const CLIENT_DEFAULTS: Readonly<Partial<Record<ClientMessage['type'], Defaults>>> = {
  attach: {
    session: null,
    spec: new NestedDefaults({
      name: null,
      shell: null,
      args: [],
      cwd: null,
      env: {},
      cols: 80,
      rows: 24,
      limits: new NestedDefaults({ cpu_seconds: null, memory_bytes: null, open_files: null, processes: null, file_bytes: null }),
    }),
    cols: 80,
    rows: 24,
    resume_from: null,
    mode: 'write',
    window: null,
    usage_interval: null,
  },
  input: { encoding: 'utf-8' },
  ping: { id: 0 },
  close: { destroy: false },
};

const encoder = new TextEncoder();

/** A message as text frame, valid in both subprotocols. */
export function encode(message: ClientMessage): string {
  return JSON.stringify(withoutDefaults(message, CLIENT_DEFAULTS[message.type] ?? {}));
}

function withoutDefaults(value: object, defaults: Defaults): object {
  const present = Object.entries(value).filter(([name, field]) => {
    const absent = defaults[name] instanceof NestedDefaults ? null : defaults[name];
    return JSON.stringify(field) !== JSON.stringify(absent);
  });
  return Object.fromEntries(
    present.map(([name, field]) => {
      const nested = defaults[name];
      return [name, nested instanceof NestedDefaults ? withoutDefaults(field as object, nested.defaults) : (field as unknown)];
    }),
  );
}

/** Keystrokes as a binary frame. */
export function encodeInput(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return withKind(KIND.input, data);
}

/** An `echo` as a binary frame. */
export function encodeEcho(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return withKind(KIND.echo, data);
}

/**
 * The message in a server's frame. Output shares memory with `payload`.
 *
 * @throws {WireError} and nothing else, for any payload.
 */
export function decodeServer(subprotocol: Subprotocol, payload: string | ArrayBuffer): ServerMessage {
  if (typeof payload === 'string') return decodeText(payload);
  if (subprotocol === JSON_SUBPROTOCOL) {
    throw new WireError('UnsupportedData', `binary frame in subprotocol ${subprotocol}, where every message is JSON text`);
  }
  const bytes = new Uint8Array(payload);
  switch (bytes[0]) {
    case KIND.output:
      return decodeOutput(payload, bytes);
    case KIND.echo:
      return { type: 'echo', data: bytes.subarray(1) };
    case undefined:
      throw new WireError('UnsupportedData', 'empty binary frame; the first byte is its kind');
    default:
      throw new WireError('UnsupportedData', `binary frame of kind ${bytes[0]}; a server sends 1 (output) or 3 (echo)`);
  }
}

function decodeOutput(payload: ArrayBuffer, bytes: Uint8Array): Output {
  if (bytes.length < OUTPUT_HEAD_BYTES) {
    throw new WireError('Malformed', `output frame of ${bytes.length} bytes is shorter than its head of ${OUTPUT_HEAD_BYTES}`);
  }
  const offset = new DataView(payload).getBigUint64(1);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new WireError('Malformed', `offset ${offset} is above ${Number.MAX_SAFE_INTEGER}, the last one this page can count to`);
  }
  return { type: 'output', offset: Number(offset), data: bytes.subarray(OUTPUT_HEAD_BYTES) };
}

function decodeText(payload: string): ServerMessage {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch (error) {
    throw new WireError('Malformed', `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(value)) throw new WireError('Malformed', 'no message of this protocol: not an object');
  const type = value['type'];
  if (typeof type !== 'string' || !Object.hasOwn(SERVER_MESSAGES, type)) {
    throw new WireError('Malformed', `no message of this protocol: type ${JSON.stringify(type)}`);
  }
  const fields = SERVER_MESSAGES[type as ServerMessage['type']];
  const error = firstError(value, fields);
  if (error !== null) throw new WireError('Malformed', `no message of this protocol: ${type}.${error}`);
  const message = { type, ...withDefaults(value, fields) };
  if (type === 'output') return outputFromText(message as unknown as TextOutput);
  if (type === 'connection_status') Object.assign(message, { limits: withDefaults(value['limits'] as object, LIMITS) });
  // The table above has checked every field of this type.
  return message as unknown as ServerMessage;
}

interface TextOutput {
  readonly offset: number;
  readonly data: string;
  readonly encoding: Encoding;
}

function outputFromText({ offset, data, encoding }: TextOutput): Output {
  if (encoding === 'base64') return { type: 'output', offset, data: fromBase64(data) };
  return { type: 'output', offset, data: encoder.encode(data) };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function fromBase64(data: string): Uint8Array {
  // atob accepts white space and missing padding; the protocol does not.
  if (!BASE64.test(data)) throw new WireError('Malformed', 'output is not base64');
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Describes the first field that is missing or has the wrong type. Unknown fields, of a later version, are ignored. */
function firstError(value: Record<string, unknown>, fields: Fields): string | null {
  for (const [name, field] of Object.entries(fields)) {
    if (!Object.hasOwn(value, name)) {
      if (field.default === undefined) return `${name} is missing`;
    } else if (!field.accepts(value[name])) {
      return `${name} is not ${field.expected}`;
    }
  }
  return null;
}

function withDefaults(value: object, fields: Fields): Record<string, unknown> {
  const given = value as Record<string, unknown>;
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, given[name] ?? field.default]));
}

function withKind(kind: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(1 + data.length);
  frame[0] = kind;
  frame.set(data, 1);
  return frame;
}
