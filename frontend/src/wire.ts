/**
 * Encodes and decodes the frames of the protocol, without any I/O.
 *
 * The counterpart of `src/web_terminal_suite/protocol/codec.py`: `messages.ts` has the messages, `docs/protocol.md`
 * describes the format, and the tests of both sides read `tests/vectors/wire.json`. Control messages are JSON text; input
 * and output are binary frames whose first byte is their kind. This side encodes client messages and decodes server
 * messages. It knows nothing of sockets, of the order of messages, or of their effects.
 */

import { firstError, isObject, withDefaults, withoutDefaults } from './fields';
import { CLIENT_DEFAULTS, SERVER_MESSAGES } from './messages';
import type { ClientMessage, Output as JsonOutput, ServerMessage as JsonMessage } from './messages';

export const BINARY_SUBPROTOCOL = 'web-terminal.v1';
export const JSON_SUBPROTOCOL = 'web-terminal.v1.json';
export type Subprotocol = typeof BINARY_SUBPROTOCOL | typeof JSON_SUBPROTOCOL;

/** Terminal output from `offset` on, in either subprotocol. */
export interface Output {
  readonly type: 'output';
  readonly offset: number;
  readonly data: Uint8Array;
}

/** What was sent comes back, as text or as a binary frame. */
export interface EchoReply {
  readonly type: 'echo';
  readonly data: string | Uint8Array;
}

/** What the page receives: bytes are decoded, and fields that were not sent have their defaults. */
export type ServerMessage = Exclude<JsonMessage, { readonly type: 'output' | 'echo' }> | Output | EchoReply;

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

const KIND = { output: 1, input: 2, echo: 3, numberedInput: 4, inputAck: 5 } as const;
/** Kind and offset. */
const HEAD_BYTES = 9;

const encoder = new TextEncoder();

/** A message as text frame, valid in both subprotocols. */
export function encode(message: ClientMessage): string {
  return JSON.stringify(withoutDefaults(message, CLIENT_DEFAULTS[message.type]));
}

/** Keystrokes as a binary frame, numbered if there is an `offset`. */
export function encodeInput(data: Uint8Array, offset: number | null = null): Uint8Array<ArrayBuffer> {
  if (offset === null) return withKind(KIND.input, data);
  const frame = new Uint8Array(HEAD_BYTES + data.length);
  frame[0] = KIND.numberedInput;
  new DataView(frame.buffer).setBigUint64(1, BigInt(offset));
  frame.set(data, HEAD_BYTES);
  return frame;
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
      return { type: 'output', offset: offsetOf('output', payload), data: bytes.subarray(HEAD_BYTES) };
    case KIND.inputAck:
      return { type: 'input_ack', offset: offsetOf('input_ack', payload) };
    case KIND.echo:
      return { type: 'echo', data: bytes.subarray(1) };
    case undefined:
      throw new WireError('UnsupportedData', 'empty binary frame; the first byte is its kind');
    default:
      throw new WireError('UnsupportedData', `binary frame of kind ${bytes[0]}; a server sends 1 (output), 3 (echo) or 5 (input_ack)`);
  }
}

function offsetOf(kind: string, payload: ArrayBuffer): number {
  if (payload.byteLength < HEAD_BYTES) {
    throw new WireError('Malformed', `${kind} frame of ${payload.byteLength} bytes is shorter than its head of ${HEAD_BYTES}`);
  }
  const offset = new DataView(payload).getBigUint64(1);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new WireError('Malformed', `offset ${offset} is above ${Number.MAX_SAFE_INTEGER}, the last one this page can count to`);
  }
  return Number(offset);
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
  if (type === 'output') return outputFromText(message as unknown as JsonOutput);
  // The table above has checked every field of this type.
  return message as unknown as ServerMessage;
}

function outputFromText({ offset, data, encoding }: JsonOutput): Output {
  if (encoding === 'base64') return { type: 'output', offset, data: fromBase64(data) };
  return { type: 'output', offset, data: encoder.encode(data) };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function fromBase64(data: string): Uint8Array {
  // atob accepts white space and missing padding; the protocol does not.
  if (!BASE64.test(data)) throw new WireError('Malformed', 'output is not base64');
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
}

function withKind(kind: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(1 + data.length);
  frame[0] = kind;
  frame.set(data, 1);
  return frame;
}
