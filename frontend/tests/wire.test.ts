import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { decodeServer, encode, encodeEcho, encodeInput, WireError } from '../src/wire';
import type { ClientMessage } from '../src/messages';
import type { Subprotocol } from '../src/wire';

interface Vector {
  name: string;
  side: 'client' | 'server';
  subprotocol: Subprotocol;
  text: boolean;
  payload: string;
  decoded?: Record<string, unknown>;
  canonical?: boolean;
  unsafe?: boolean;
  error?: { class: string; code: string; close: number };
}

const { vectors } = JSON.parse(readFileSync(new URL('../../tests/vectors/wire.json', import.meta.url), 'utf-8')) as {
  vectors: Vector[];
};

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** The payload as a browser hands it over: text frames as strings, binary frames as buffers. */
function received(vector: Vector): string | ArrayBuffer {
  const bytes = bytesOf(vector.payload);
  return vector.text ? new TextDecoder('utf-8', { fatal: true }).decode(bytes) : bytes.buffer;
}

/** A decoded message in the words of the vectors: bytes as hex in `data_hex`. */
function inWords(message: object): object {
  const { data, ...rest } = message as { data?: unknown };
  if (!(data instanceof Uint8Array)) return message;
  return { ...rest, data_hex: Buffer.from(data).toString('hex') };
}

function errorOf(act: () => unknown): WireError {
  try {
    act();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const ofServer = vectors.filter((vector) => vector.side === 'server');
const ofClient = vectors.filter((vector) => vector.side === 'client' && vector.canonical);
// A browser refuses these before the page sees them.
const seen = ofServer.filter((vector) => vector.error?.class !== 'InvalidText');

describe('decodeServer', () => {
  it.each(seen.filter((vector) => vector.decoded && !vector.unsafe))('understands $name', (vector) => {
    expect(inWords(decodeServer(vector.subprotocol, received(vector)))).toEqual(vector.decoded);
  });

  it.each(seen.filter((vector) => vector.error))('refuses $name', (vector) => {
    const error = errorOf(() => decodeServer(vector.subprotocol, received(vector)));
    expect({ class: error.name, code: error.code, close: error.close }).toEqual(vector.error);
  });

  it.each(seen.filter((vector) => vector.unsafe))('refuses what a double cannot count: $name', (vector) => {
    const error = errorOf(() => decodeServer(vector.subprotocol, received(vector)));
    expect(error.name).toBe('Malformed');
  });

  it('raises nothing but WireError for any frame cut short', () => {
    for (const vector of seen) {
      const whole = bytesOf(vector.payload);
      for (let length = 0; length < whole.length; length++) {
        const part = whole.slice(0, length);
        const payload = vector.text ? new TextDecoder().decode(part) : part.buffer;
        try {
          decodeServer(vector.subprotocol, payload);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }
    }
  });

  it('is not fooled by names that every object has', () => {
    for (const type of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(errorOf(() => decodeServer('web-terminal.v1', JSON.stringify({ type }))).name).toBe('Malformed');
    }
    expect(errorOf(() => decodeServer('web-terminal.v1', '{"type":"resized","__proto__":{"cols":1,"rows":1}}')).name).toBe('Malformed');
  });
});

describe('encode', () => {
  it.each(ofClient.filter((vector) => vector.text))('says $name', (vector) => {
    expect(JSON.parse(encode(vector.decoded as unknown as ClientMessage))).toEqual(JSON.parse(received(vector) as string));
  });

  it.each(ofClient.filter((vector) => !vector.text))('says $name', (vector) => {
    const data = bytesOf(String(vector.decoded?.['data_hex']));
    const offset = (vector.decoded?.['offset'] as number | undefined) ?? null;
    const frame = vector.decoded?.['type'] === 'echo' ? encodeEcho(data) : encodeInput(data, offset);
    expect(Buffer.from(frame).toString('hex')).toBe(vector.payload);
  });
});
