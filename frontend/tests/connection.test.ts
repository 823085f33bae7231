import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Connection } from '../src/connection';
import type { Condition, Screen, ConnectionListener, Undelivered } from '../src/connection';
import type { ServerMessage } from '../src/wire';

/** The far end of a WebSocket, played by the test. */
class FakeSocket {
  static all: FakeSocket[] = [];
  binaryType = '';
  bufferedAmount = 0;
  readyState = 0;
  closedByPage = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: (Record<string, unknown> | Uint8Array)[] = [];

  constructor() {
    FakeSocket.all.push(this);
  }

  send(data: string | Uint8Array): void {
    this.sent.push(typeof data === 'string' ? (JSON.parse(data) as Record<string, unknown>) : data);
  }

  close(): void {
    this.closedByPage = true;
    this.readyState = 3;
  }

  // --- what the server does

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  output(offset: number, text: string): void {
    const body = new TextEncoder().encode(text);
    const frame = new Uint8Array(9 + body.length);
    frame[0] = 1;
    new DataView(frame.buffer).setBigUint64(1, BigInt(offset));
    frame.set(body, 9);
    this.onmessage?.({ data: frame.buffer });
  }

  hangUp(code: number, reason = ''): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  welcome(role = 'user'): void {
    this.open();
    this.say({
      type: 'connection_status',
      status: 'ready',
      subprotocol: 'web-terminal.v1',
      version: '0.1.0',
      limits: { message_bytes: 1 << 20, cols: 500, rows: 200 },
    });
    this.say({ type: 'authenticated', user: 'ada', role });
  }

  attach(fields: object = {}): void {
    this.say({ type: 'attached', session: 'k3v9', name: 'one', offset: 0, end: 0, cols: 80, rows: 24, mode: 'write', window: 131072, ...fields });
  }

  messages(type: string): Record<string, unknown>[] {
    return this.sent.filter((each): each is Record<string, unknown> => !(each instanceof Uint8Array) && each['type'] === type);
  }

  /** Offset and text of each frame of numbered input. */
  numbered(): [number, string][] {
    const frames = this.sent.filter((each): each is Uint8Array => each instanceof Uint8Array && each[0] === 4);
    return frames.map((frame) => [
      Number(new DataView(frame.buffer, frame.byteOffset).getBigUint64(1)),
      new TextDecoder().decode(frame.subarray(9)),
    ]);
  }

  typed(): string {
    const frames = this.sent.filter((each): each is Uint8Array => each instanceof Uint8Array);
    return frames.map((frame) => new TextDecoder().decode(frame.subarray(1))).join('');
  }
}

/** A terminal that draws when it is told to. */
class FakeScreen implements Screen {
  size = { cols: 80, rows: 24 };
  text = '';
  holding = false;
  private waiting: (() => void)[] = [];

  write(data: Uint8Array | string, drawn: () => void): void {
    const draw = (): void => {
      this.text += typeof data === 'string' ? data : new TextDecoder().decode(data);
      drawn();
    };
    if (this.holding) this.waiting.push(draw);
    else draw();
  }

  draw(): void {
    this.holding = false;
    for (const draw of this.waiting.splice(0)) draw();
  }
}

let screen: FakeScreen;
let conditions: Condition[];
let hints: string[];
let told: ServerMessage[];
let refusals: number;

interface Numbering {
  inputKey: string;
  undelivered: (what: Undelivered | null) => void;
}

function connect(session: string | null = null, numbering: Numbering | null = null): Connection {
  const listener: ConnectionListener = {
    conditionChanged: (condition) => conditions.push(condition),
    attached: () => undefined,
    messageReceived: (message) => told.push(message),
    statsChanged: () => undefined,
    hint: (text) => hints.push(text),
    refused: () => (refusals += 1),
    undelivered: (what) => numbering?.undelivered(what),
  };
  const numbered = numbering === null ? {} : { inputKey: numbering.inputKey };
  const connection = new Connection({ session, key: 'chosen', mode: 'write', ...numbered }, screen, listener, {
    // A stand-in for the browser's class: only what the driver uses.
    dial: () => new FakeSocket() as unknown as WebSocket,
    nowMs: () => Date.now(),
    random: () => 0,
  });
  connection.start();
  return connection;
}

function socket(): FakeSocket {
  return FakeSocket.all.at(-1) as FakeSocket;
}

function attached(fields: object = {}): Connection {
  const connection = connect();
  socket().welcome();
  socket().attach(fields);
  return connection;
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  FakeSocket.all = [];
  screen = new FakeScreen();
  conditions = [];
  hints = [];
  told = [];
  refusals = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

const state = (): string | undefined => conditions.at(-1)?.state;

describe('attaching', () => {
  it('asks for a new session with the terminal’s size', () => {
    screen.size = { cols: 132, rows: 43 };
    connect();
    socket().welcome();
    expect(socket().messages('attach')).toEqual([
      { type: 'attach', spec: { key: 'chosen' }, cols: 132, rows: 43, usage_interval: 5 },
    ]);
    expect(state()).toBe('connecting');
    socket().attach({ cols: 132, rows: 43 });
    expect(state()).toBe('connected');
  });

  it('asks for all the log holds of a session it is given', () => {
    connect('k3v9');
    socket().welcome();
    expect(socket().messages('attach')[0]).toMatchObject({ session: 'k3v9' });
    expect(socket().messages('attach')[0]).not.toHaveProperty('resume_from');
  });

  it('keeps within the server’s largest size', () => {
    screen.size = { cols: 900, rows: 300 };
    connect();
    socket().welcome();
    expect(socket().messages('attach')[0]).toMatchObject({ cols: 500, rows: 200 });
  });

  it('sends what was typed ahead, in order, once attached', () => {
    const connection = connect();
    connection.type('l', 'user');
    socket().welcome();
    connection.type('s\r', 'user');
    expect(socket().typed()).toBe('');
    socket().attach();
    vi.advanceTimersByTime(100);
    expect(socket().typed()).toBe('ls\r');
    expect(hints).toEqual([]);
  });

  it('asks for a login where the server does, and starts again after it', () => {
    const connection = connect();
    socket().open();
    socket().say({
      type: 'connection_status',
      status: 'authentication_required',
      subprotocol: 'web-terminal.v1',
      version: '0.1.0',
      limits: { message_bytes: 1 << 20, cols: 500, rows: 200 },
    });
    expect(state()).toBe('login');
    expect(socket().closedByPage).toBe(true);
    connection.start();
    expect(FakeSocket.all).toHaveLength(2);
  });

  it('stops where the session is refused without closing', () => {
    connect('k3v9');
    socket().welcome();
    socket().say({ type: 'error', code: 'out_of_range', message: 'resume_from of 9 lies beyond the 3 bytes of output' });
    expect(conditions.at(-1)).toMatchObject({ state: 'closed', reason: expect.stringContaining('resume_from') });
  });

  it('only watches where the role may not write', () => {
    const connection = connect('k3v9');
    socket().welcome('viewer');
    expect(socket().messages('attach')[0]).toMatchObject({ mode: 'read' });
    socket().attach({ mode: 'read', cols: 100 });
    connection.resize();
    connection.type('x', 'user');
    expect(socket().messages('resize')).toEqual([]);
    expect(socket().typed()).toBe('');
    expect(hints).toEqual(['Not sent: you may only watch this session']);
  });
});

describe('reconnecting', () => {
  it.each([1001, 1006, 1011, 1012, 1013])('goes on where it stopped after %d', (code) => {
    attached();
    socket().output(0, 'one ');
    socket().hangUp(code);
    expect(state()).toBe('reconnecting');
    vi.advanceTimersByTime(250);
    expect(FakeSocket.all).toHaveLength(2);
    socket().welcome();
    expect(socket().messages('attach')).toEqual([{ type: 'attach', session: 'k3v9', resume_from: 4, usage_interval: 5 }]);
    socket().attach({ offset: 4, end: 8 });
    socket().output(4, 'two ');
    expect(screen.text).toBe('one two ');
    expect(state()).toBe('connected');
  });

  it.each([1000, 4003, 4400, 4404, 4429, 4500])('does not after %d, and says why', (code) => {
    attached();
    socket().say({ type: 'error', code: 'x', message: 'the reason', fatal: true });
    socket().hangUp(code);
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(conditions.at(-1)).toEqual({ state: 'closed', code, reason: 'the reason' });
  });

  it('draws nothing twice and nothing out of order, over many breaks', () => {
    const whole = Array.from({ length: 400 }, (_, at) => String.fromCharCode(97 + (at % 26))).join('');
    const connection = attached();
    let sent = 0;
    for (let round = 0; round < 20; round++) {
      // The last frame of a connection may come again, as a server that lost count would do.
      const again = Math.max(0, sent - (round % 3));
      socket().output(again, whole.slice(again, sent + 20));
      sent += 20;
      connection.drop();
      vi.advanceTimersByTime(10_000);
      socket().welcome();
      socket().attach({ offset: connection.stream.received ?? 0, end: connection.stream.received ?? 0 });
    }
    expect(screen.text).toBe(whole);
  });

  it('tells a gap once, faintly', () => {
    attached();
    socket().output(0, 'abc');
    socket().hangUp(1006);
    vi.advanceTimersByTime(250);
    socket().welcome();
    socket().attach({ offset: 1003, end: 1006 });
    socket().say({ type: 'gap', from: 3, to: 1003 });
    socket().output(1003, 'xyz');
    expect(screen.text).toBe(
      'abc\x18\r\n\x1b[2m[1000 bytes of output were lost: the server keeps only its log]\x1b[22m\r\nxyz',
    );
  });

  it('waits longer each time, and not at all when the network is back', () => {
    const connection = attached();
    for (const delay of [250, 500, 1000]) {
      socket().hangUp(1006);
      const before = FakeSocket.all.length;
      vi.advanceTimersByTime(delay - 1);
      expect(FakeSocket.all).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(FakeSocket.all).toHaveLength(before + 1);
    }
    socket().hangUp(1006);
    connection.reconnectNow();
    expect(FakeSocket.all).toHaveLength(5);
    expect(conditions.at(-1)).toEqual({ state: 'reconnecting', atMs: null });
  });

  it('asks who is refused when a connection does not even open', () => {
    connect();
    socket().hangUp(1006);
    expect(refusals).toBe(1);
    vi.advanceTimersByTime(250);
    socket().open();
    socket().hangUp(1006);
    expect(refusals).toBe(1);
  });

  it('gives up a dial that nobody answers', () => {
    connect();
    vi.advanceTimersByTime(10_000);
    expect(state()).toBe('reconnecting');
    expect(socket().closedByPage).toBe(true);
  });

  it('refuses aloud what is typed meanwhile, and counts what was still waiting', () => {
    const connection = attached();
    socket().say({ type: 'flow_control', direction: 'input', state: 'paused' });
    connection.type('held', 'user');
    connection.drop();
    connection.type('x', 'user');
    expect(hints).toEqual([
      'Not sent: 4 bytes were still waiting when the connection broke',
      'Not sent: there is no connection',
    ]);
    vi.advanceTimersByTime(250);
    socket().welcome();
    socket().attach();
    expect(socket().typed()).toBe('');
  });

  describe('with acknowledged input', () => {
    const KEY = '0123456789abcdef';
    let shown: (Undelivered | null)[];

    function numbered(): Connection {
      shown = [];
      const connection = connect(null, { inputKey: KEY, undelivered: (what) => shown.push(what) });
      socket().welcome();
      socket().attach({ input: 0 });
      return connection;
    }

    function again(input: number | null): void {
      vi.advanceTimersByTime(10_000);
      socket().welcome();
      socket().attach({ input });
      vi.advanceTimersByTime(10);
    }

    it('numbers what it sends, and forgets what the terminal took', () => {
      const connection = numbered();
      expect(socket().messages('attach')[0]?.['input_key']).toBe(KEY);
      connection.type('ab', 'user');
      connection.type('c', 'user');
      expect(socket().numbered()).toEqual([
        [0, 'ab'],
        [2, 'c'],
      ]);
      expect(connection.outbox.undeliveredBytes).toBe(3);
      socket().say({ type: 'input_ack', offset: 2 });
      expect(connection.outbox.undeliveredBytes).toBe(1);
    });

    it('sends again what the server does not have, and nothing else', () => {
      const connection = numbered();
      connection.type('abcdef', 'user');
      socket().say({ type: 'input_ack', offset: 1 });
      connection.drop();
      expect(shown).toEqual([{ bytes: 5, beginning: 'bcdef', asks: false }]);
      connection.type('x', 'user');
      again(4);
      expect(socket().numbered()).toEqual([[4, 'ef']]);
      expect(shown.at(-1)).toBeNull();
      expect(hints).toEqual(['Not sent: there is no connection']);
    });

    it('completes a paste that a cut interrupted', () => {
      const connection = numbered();
      const paste = '\x1b[200~' + 'x'.repeat(100_000) + '\x1b[201~';
      connection.type(paste, 'user');
      connection.drop();
      again(3);
      vi.advanceTimersByTime(1_000);
      expect(
        socket()
          .numbered()
          .map(([, data]) => data)
          .join(''),
      ).toBe(paste.slice(3));
      expect(connection.outbox.sent.end).toBe(paste.length);
    });

    it('ends a paste whose rest is dropped, and tells how much that is', () => {
      const connection = numbered();
      const paste = '\x1b[200~' + 'x'.repeat(100_000) + '\x1b[201~';
      connection.type(paste, 'user');
      vi.advanceTimersByTime(100);
      connection.drop();
      connection.dropUndelivered();
      again(50_000);
      expect(socket().numbered()).toEqual([[50_000, '\x1b[201~']]);
      expect(hints).toEqual([`Dropped: ${paste.length - 50_000} bytes that were not delivered`]);
    });

    it('asks after a long absence', () => {
      const connection = numbered();
      connection.type('rm x\r', 'user');
      connection.drop();
      vi.advanceTimersByTime(31_000);
      again(0);
      expect(socket().numbered()).toEqual([]);
      expect(shown.at(-1)).toEqual({ bytes: 5, beginning: 'rm x\r', asks: true });
      connection.type('y', 'user');
      expect(hints.at(-1)).toBe('Not sent: first send or drop what was not delivered');
      connection.sendUndelivered();
      expect(socket().numbered()).toEqual([[0, 'rm x\r']]);
      expect(shown.at(-1)).toBeNull();
    });

    it('shows what is late, although the connection seems to live', () => {
      const connection = numbered();
      connection.type('ls\r', 'user');
      vi.advanceTimersByTime(1_900);
      expect(shown).toEqual([]);
      vi.advanceTimersByTime(200);
      expect(shown).toEqual([{ bytes: 3, beginning: 'ls\r', asks: false }]);
      socket().say({ type: 'input_ack', offset: 3 });
      expect(shown.at(-1)).toBeNull();
      expect(connection.outbox.undeliveredBytes).toBe(0);
    });

    it('tells what a server that forgot the page may not have', () => {
      const connection = numbered();
      connection.type('abc', 'user');
      socket().say({ type: 'input_ack', offset: 2 });
      connection.drop();
      again(0);
      expect(socket().numbered()).toEqual([]);
      expect(hints).toEqual(['Whether the last 1 bytes of input arrived is unknown: look before you type them again']);
      connection.type('d', 'user');
      expect(socket().numbered()).toEqual([[0, 'd']]);
    });

    it('does not believe an acknowledgement of what was never sent', () => {
      numbered().type('abc', 'user');
      socket().say({ type: 'input_ack', offset: 4 });
      expect(state()).toBe('closed');
    });

    it('tells what is lost when the session cannot be had again', () => {
      const connection = numbered();
      connection.type('abc', 'user');
      socket().hangUp(4404);
      expect(hints).toEqual(['Not delivered: the last 3 bytes of input']);
      expect(connection.outbox.undeliveredBytes).toBe(0);
    });
  });

  it('hears nothing more from a socket it has left', () => {
    const connection = attached();
    const old = socket();
    const { onmessage } = old;
    connection.drop();
    expect(onmessage).not.toBeNull();
    expect(old.onmessage).toBeNull();
    expect(old.onclose).toBeNull();
  });
});

describe('replay', () => {
  it('drops the terminal’s answers until all of it is drawn, and not what a person types', () => {
    const connection = attached({ end: 6 });
    screen.holding = true;
    socket().output(0, 'abcdef');
    connection.type('\x1b[?1;2c', 'unknown');
    connection.type('y', 'user');
    screen.draw();
    connection.type('\x1b[?1;2c', 'unknown');
    expect(socket().typed()).toBe('y\x1b[?1;2c');
  });
});

describe('acknowledging', () => {
  it('follows what is drawn, not what is received', () => {
    attached();
    screen.holding = true;
    socket().output(0, 'x'.repeat(24 * 1024));
    expect(socket().messages('ack')).toEqual([]);
    screen.draw();
    expect(socket().messages('ack')).toEqual([{ type: 'ack', offset: 24 * 1024 }]);
  });

  it('tells the rest when nothing more comes', () => {
    attached();
    socket().output(0, '$ ');
    expect(socket().messages('ack')).toEqual([]);
    vi.advanceTimersByTime(250);
    expect(socket().messages('ack')).toEqual([{ type: 'ack', offset: 2 }]);
  });

  it('is at once where the program waits for it', () => {
    attached();
    socket().output(0, '$ ');
    socket().say({ type: 'flow_control', direction: 'output', state: 'paused' });
    expect(socket().messages('ack')).toEqual([{ type: 'ack', offset: 2 }]);
  });
});

describe('typing', () => {
  it('sends bytes as they are', () => {
    const connection = attached();
    connection.type('é', 'user');
    connection.typeBinary('\x1b[M\xff', 'unknown');
    expect(socket().sent.filter((each) => each instanceof Uint8Array)).toEqual([
      Uint8Array.of(2, 0xc3, 0xa9),
      Uint8Array.of(2, 0x1b, 0x5b, 0x4d, 0xff),
    ]);
  });

  it('waits while the program does not read, and goes on in order', () => {
    const connection = attached();
    socket().say({ type: 'flow_control', direction: 'input', state: 'paused' });
    connection.type('a', 'user');
    connection.type('b', 'user');
    expect(socket().typed()).toBe('');
    socket().say({ type: 'flow_control', direction: 'input', state: 'resumed' });
    connection.type('c', 'user');
    vi.advanceTimersByTime(100);
    expect(socket().typed()).toBe('abc');
  });

  it('sends Ctrl-C ahead of what the program does not read, which is dropped and told', () => {
    const connection = attached();
    socket().say({ type: 'flow_control', direction: 'input', state: 'paused' });
    connection.type('held', 'user');
    connection.type('\x03', 'user');
    expect(socket().typed()).toBe('\x03');
    expect(hints.at(-1)).toBe('Ctrl-C: 4 bytes that were not sent yet are dropped');
    socket().say({ type: 'flow_control', direction: 'input', state: 'resumed' });
    socket().say({ type: 'error', code: 'input_overflow', message: '9 bytes of input dropped', fatal: false });
    expect(hints.at(-1)).toBe('9 bytes of input dropped; 4 more were not sent yet');
    socket().say({ type: 'error', code: 'input_overflow', message: '9 bytes of input dropped', fatal: false });
    expect(hints.at(-1)).toBe('9 bytes of input dropped');
    connection.type('c', 'user');
    expect(socket().typed()).toBe('\x03c');
  });

  it('sends a long paste in pieces that can be paused', () => {
    const connection = attached();
    const paste = 'p'.repeat(100_000);
    connection.type(paste, 'user');
    expect(socket().typed().length).toBeLessThan(paste.length);
    socket().say({ type: 'flow_control', direction: 'input', state: 'paused' });
    vi.advanceTimersByTime(1000);
    const before = socket().typed().length;
    expect(before).toBeLessThan(paste.length);
    socket().say({ type: 'flow_control', direction: 'input', state: 'resumed' });
    vi.advanceTimersByTime(1000);
    expect(socket().typed()).toBe(paste);
  });

  it('waits for the browser to send what it has', () => {
    const connection = attached();
    socket().bufferedAmount = 1 << 20;
    connection.type('x', 'user');
    expect(socket().typed()).toBe('');
    socket().bufferedAmount = 0;
    vi.advanceTimersByTime(10);
    expect(socket().typed()).toBe('x');
  });
});

describe('size', () => {
  it('is told on change only', () => {
    const connection = attached();
    connection.resize();
    screen.size = { cols: 100, rows: 30 };
    connection.resize();
    connection.resize();
    expect(socket().messages('resize')).toEqual([{ type: 'resize', cols: 100, rows: 30 }]);
  });

  it('set by another viewer is not sent back', () => {
    const connection = attached();
    socket().say({ type: 'resized', cols: 60, rows: 20 });
    screen.size = { cols: 60, rows: 20 };
    connection.resize();
    expect(socket().messages('resize')).toEqual([]);
  });

  it('that changed while attaching is told afterwards', () => {
    const connection = connect();
    socket().welcome();
    screen.size = { cols: 90, rows: 24 };
    connection.resize();
    socket().attach();
    expect(socket().messages('resize')).toEqual([{ type: 'resize', cols: 90, rows: 24 }]);
  });
});

describe('heartbeat', () => {
  it('measures at once and every five seconds', () => {
    const connection = attached();
    const [first] = socket().messages('ping');
    vi.advanceTimersByTime(40);
    socket().say({ type: 'pong', id: first?.['id'] });
    expect(connection.heartbeat.rttMs).toBe(40);
    vi.advanceTimersByTime(5000);
    expect(socket().messages('ping')).toHaveLength(2);
  });

  it('takes silence for a broken network', () => {
    attached();
    vi.advanceTimersByTime(10_000);
    expect(state()).toBe('reconnecting');
    expect(FakeSocket.all[0]?.closedByPage).toBe(true);
  });
});

describe('the end', () => {
  it('waits for the last byte to be drawn, then leaves', () => {
    attached();
    screen.holding = true;
    socket().output(0, 'bye');
    socket().say({ type: 'process_exited', session: 'k3v9', offset: 3, status: 3 });
    expect(conditions.at(-1)).toMatchObject({ state: 'ended', exit: { status: 3, signal: null } });
    expect(socket().closedByPage).toBe(false);
    screen.draw();
    expect(socket().messages('close')).toEqual([{ type: 'close' }]);
    expect(socket().closedByPage).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stays the end when the server hangs up after it', () => {
    attached();
    screen.holding = true;
    socket().output(0, 'bye');
    socket().say({ type: 'process_exited', session: 'k3v9', offset: 3, signal: 'SIGHUP' });
    socket().hangUp(1001);
    vi.advanceTimersByTime(60_000);
    expect(state()).toBe('ended');
  });

  it('comes with a reason where the server speaks another language', () => {
    attached();
    socket().say({ type: 'nonsense' });
    expect(conditions.at(-1)).toMatchObject({ state: 'closed', code: 4400 });
    expect(vi.getTimerCount()).toBe(0);
  });
});
