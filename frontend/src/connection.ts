/**
 * The driver of one session's WebSocket: it feeds what comes to the rooms that decide (`wire`, `stream`, `outbox`,
 * `reconnect`, `heartbeat`), sends what they give, and tells a watcher what changed. It draws nothing itself.
 *
 * One page looks at one session. The connection is made again by itself and goes on at the byte where it broke.
 */

import { Heartbeat, PING_EVERY_MS } from './heartbeat';
import { Outbox } from './outbox';
import type { Origin } from './outbox';
import { afterClose, Attempts } from './reconnect';
import { Stream } from './stream';
import type { Gap } from './stream';
import { BINARY_SUBPROTOCOL, decodeServer, encode, encodeInput, WireError } from './wire';
import type { Attached, ClientMessage, Limits, Mode, ProcessExited, ServerMessage } from './wire';

/** A dial that is not answered by then is given up. */
const DIAL_TIMEOUT_MS = 10_000;
/** Less than the usual stride of output is acknowledged when nothing more came for so long. */
const IDLE_ACK_MS = 250;
/** Long pastes wait while this much has not left the browser. */
const UNSENT_BYTES = 256 * 1024;
const UNSENT_WAIT_MS = 10;
const USAGE_INTERVAL_SECONDS = 5;
/** RFC 6455 section 7.1.5: what a page reads where there was no close frame. */
const ABNORMAL = 1006;
/** An error that leaves the connection open, but without the session that was asked for: shown as out of range. */
const ATTACH_REFUSED = 4400;

export interface Size {
  readonly cols: number;
  readonly rows: number;
}

/** What a person is told about the connection; `atMs` is when the next attempt is due, `null` while it runs. */
export type Condition =
  | { readonly state: 'connecting' }
  | { readonly state: 'connected' }
  | { readonly state: 'reconnecting'; readonly atMs: number | null }
  | { readonly state: 'ended'; readonly exit: ProcessExited }
  | { readonly state: 'closed'; readonly code: number; readonly reason: string }
  | { readonly state: 'login'; readonly reason: string };

/** What the connection needs of a terminal. `drawn` is called once the bytes are on the screen, in order. */
export interface Screen {
  readonly size: Size;
  write(data: Uint8Array | string, drawn: () => void): void;
}

/** Who looks at the connection. */
export interface Watcher {
  moved(condition: Condition): void;
  attached(message: Attached): void;
  told(message: ServerMessage): void;
  /** `received`, the round-trip time, or another figure changed. */
  counted(): void;
  hinted(text: string): void;
  /** The server did not even open the connection: find out whether it asks for a login. */
  refused(): void;
}

/** The world: a test brings its own. */
export interface World {
  dial(): WebSocket;
  nowMs(): number;
  random(): number;
}

export interface Wishes {
  /** `null` makes a new session. */
  readonly session: string | null;
  readonly mode: Mode;
}

type Phase = 'idle' | 'dialling' | 'authenticating' | 'attaching' | 'attached' | 'ended' | 'waiting';

export class Connection {
  readonly stream = new Stream();
  readonly outbox = new Outbox();
  readonly heartbeat = new Heartbeat();
  readonly counts = { connections: 0, acks: 0, gaps: 0 };
  session: string | null;
  mode: Mode;
  role = '';
  condition: Condition = { state: 'connecting' };
  /** What the server accepts; its defaults until it said so. */
  limits: Limits = { message_bytes: 1 << 20, cols: 500, rows: 200 };

  private phase: Phase = 'idle';
  private socket: WebSocket | null = null;
  private serverSize: Size | null = null;
  private fatal: string | null = null;
  private readonly attempts = new Attempts();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly encoder = new TextEncoder();

  constructor(
    wishes: Wishes,
    private readonly screen: Screen,
    private readonly watcher: Watcher,
    private readonly world: World,
  ) {
    this.session = wishes.session;
    this.mode = wishes.mode;
  }

  // --- what the page asks for

  /** Connect; after a login again. */
  start(): void {
    this.outbox.line = 'attaching';
    this.move({ state: 'connecting' });
    this.dial();
  }

  /** The network is back, or somebody looks again: try at once, or see whether the connection still lives. */
  hurry(): void {
    if (this.phase === 'waiting') this.dial();
    else if (this.phase === 'attached') this.beat();
  }

  /** Keystrokes as text. */
  type(text: string, origin: Origin): void {
    this.send(this.encoder.encode(text), origin);
  }

  /** Bytes that are no text, one a character: reports of the mouse in its oldest encoding. */
  typeBinary(bytes: string, origin: Origin): void {
    this.send(Uint8Array.from(bytes, (character) => character.charCodeAt(0) & 0xff), origin);
  }

  /** The terminal has this size now; the server is told where it does not know. */
  resize(): void {
    if (this.phase !== 'attached' || this.mode !== 'write') return;
    const size = this.wantedSize();
    if (size.cols === this.serverSize?.cols && size.rows === this.serverSize.rows) return;
    this.serverSize = size;
    this.say({ type: 'resize', ...size });
  }

  /** Break the connection as a network does, without a word. */
  drop(): void {
    if (this.socket === null) return;
    this.release();
    this.closed(ABNORMAL, '');
  }

  /** Stop for good, because `reason` is known here and not from the server. */
  askForLogin(reason: string): void {
    this.release();
    this.phase = 'idle';
    this.outbox.line = 'attaching';
    this.move({ state: 'login', reason });
  }

  // --- the life of a socket

  private dial(): void {
    this.release();
    this.phase = 'dialling';
    this.fatal = null;
    this.counts.connections += 1;
    if (this.condition.state === 'reconnecting') this.move({ state: 'reconnecting', atMs: null });
    const socket = this.world.dial();
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.after('dial', DIAL_TIMEOUT_MS, () => this.drop());
    socket.onopen = () => {
      this.phase = 'authenticating';
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.received(event.data);
    socket.onclose = (event) => {
      this.release();
      this.closed(event.code, event.reason);
    };
  }

  private release(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    const socket = this.socket;
    if (socket === null) return;
    this.socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private closed(code: number, reason: string): void {
    const phase = this.phase;
    if (phase === 'ended') return;
    this.phase = 'idle';
    this.giveUpHeld();
    const next = afterClose(code);
    if (next === 'reconnect') this.wait(phase === 'dialling');
    else if (next === 'login') this.askForLogin(this.fatal ?? reason);
    else this.giveUp(code, this.fatal ?? reason);
  }

  private giveUp(code: number, reason: string): void {
    this.release();
    this.phase = 'idle';
    this.outbox.line = 'ended';
    this.move({ state: 'closed', code, reason });
  }

  private wait(unopened: boolean): void {
    const delay = this.attempts.lost(this.world.nowMs(), this.world.random());
    this.phase = 'waiting';
    this.outbox.line = 'down';
    this.after('retry', delay, () => this.dial());
    this.move({ state: 'reconnecting', atMs: this.world.nowMs() + delay });
    if (unopened) this.watcher.refused();
  }

  private giveUpHeld(): void {
    const lost = this.outbox.clear();
    if (lost > 0) this.watcher.hinted(`Not sent: ${lost} bytes were still waiting when the connection broke`);
  }

  // --- what comes

  private received(payload: string | ArrayBuffer): void {
    try {
      this.hear(decodeServer(BINARY_SUBPROTOCOL, payload));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.giveUp(error.close, `The server said what this page does not understand: ${error.message}`);
    }
  }

  private hear(message: ServerMessage): void {
    switch (message.type) {
      case 'connection_status':
        this.limits = message.limits;
        if (message.status === 'authentication_required') this.askForLogin('');
        break;
      case 'authenticated':
        this.cancel('dial');
        this.role = message.role;
        if (message.role === 'viewer') this.mode = 'read';
        this.attach();
        break;
      case 'attached':
        this.attached(message);
        break;
      case 'output':
        this.draw(message.offset, message.data);
        break;
      case 'gap':
        this.drawGap(this.stream.gap(message.to));
        break;
      case 'process_exited':
        this.exited(message);
        break;
      case 'pong':
        if (this.heartbeat.pong(message.id, this.world.nowMs()) !== null) this.watcher.counted();
        break;
      case 'error':
        if (message.fatal) this.fatal = message.message;
        else if (this.phase === 'attaching') this.giveUp(ATTACH_REFUSED, message.message);
        else this.watcher.hinted(message.message);
        break;
      case 'flow_control':
        this.flowControl(message.direction, message.state);
        break;
      case 'resized':
        this.serverSize = { cols: message.cols, rows: message.rows };
        break;
    }
    this.watcher.told(message);
  }

  private attach(): void {
    this.phase = 'attaching';
    this.outbox.line = 'attaching';
    this.say({
      type: 'attach',
      session: this.session,
      ...this.wantedSize(),
      resume_from: this.stream.received,
      mode: this.mode,
      usage_interval: USAGE_INTERVAL_SECONDS,
    });
    this.heartbeat.restart();
    this.beat();
  }

  private attached(message: Attached): void {
    this.phase = 'attached';
    this.attempts.attached(this.world.nowMs());
    this.session = message.session;
    this.mode = message.mode;
    this.serverSize = { cols: message.cols, rows: message.rows };
    const gap = this.stream.attached(message.offset, message.end, message.window);
    this.move({ state: 'connected' });
    this.watcher.attached(message);
    this.drawGap(gap);
    this.outbox.line = message.mode === 'write' ? 'open' : 'readOnly';
    this.pump();
    this.resize();
    this.watcher.counted();
  }

  private exited(message: ProcessExited): void {
    this.phase = 'ended';
    this.outbox.clear();
    this.outbox.line = 'ended';
    this.cancel('beat');
    this.move({ state: 'ended', exit: message });
    this.leaveWhenDrawn();
  }

  /** An ended session sends nothing more; the server need not keep the connection. */
  private leaveWhenDrawn(): void {
    if (this.phase !== 'ended' || !this.stream.allDrawn || this.socket === null) return;
    this.acknowledge(true);
    this.say({ type: 'close' });
    this.release();
  }

  private draw(offset: number, data: Uint8Array): void {
    const arrival = this.stream.arrived(offset, data);
    this.drawGap(arrival.gap);
    this.screen.write(arrival.data, () => this.drew(arrival.end));
    this.watcher.counted();
  }

  private drawGap(gap: Gap | null): void {
    if (gap === null) return;
    this.counts.gaps += 1;
    const bytes = gap.to - gap.from;
    // CAN ends an escape sequence that the gap cut in two (ECMA-48 8.3.4); only faintness is switched, no colour.
    const line = `\x18\r\n\x1b[2m[${bytes} bytes of output were lost: the server keeps only its log]\x1b[22m\r\n`;
    this.screen.write(line, () => this.drew(gap.to));
    this.watcher.counted();
  }

  private drew(offset: number): void {
    this.stream.drew(offset);
    this.acknowledge(false);
    if (this.stream.drawn > this.stream.acked && !this.timers.has('ack')) {
      this.after('ack', IDLE_ACK_MS, () => this.acknowledge(true));
    }
    this.leaveWhenDrawn();
  }

  private acknowledge(idle: boolean): void {
    if (this.socket === null || (this.phase !== 'attached' && this.phase !== 'ended')) return;
    const offset = this.stream.takeAck(idle);
    if (offset === null) return;
    this.counts.acks += 1;
    this.say({ type: 'ack', offset });
  }

  private flowControl(direction: 'input' | 'output', state: 'paused' | 'resumed'): void {
    if (direction === 'output') {
      if (state === 'paused') this.acknowledge(true);
    } else if (this.outbox.line === 'open' || this.outbox.line === 'paused') {
      this.outbox.line = state === 'paused' ? 'paused' : 'open';
      this.pump();
    }
  }

  // --- what goes

  private send(data: Uint8Array, origin: Origin): void {
    const refusal = this.outbox.offer(data, origin, this.stream.replaying);
    if (refusal !== null) this.watcher.hinted(refusal);
    this.pump();
  }

  /** One piece now, the next after the page has heard what came meanwhile. */
  private pump(): void {
    const socket = this.socket;
    if (socket === null || this.timers.has('pump')) return;
    if (socket.bufferedAmount > UNSENT_BYTES) {
      this.after('pump', UNSENT_WAIT_MS, () => this.pump());
      return;
    }
    const piece = this.outbox.take(this.limits.message_bytes - 1);
    if (piece === null) return;
    socket.send(encodeInput(piece));
    if (this.outbox.heldBytes > 0) this.after('pump', 0, () => this.pump());
  }

  private beat(): void {
    const now = this.world.nowMs();
    if (this.heartbeat.dead(now)) {
      this.drop();
      return;
    }
    this.say({ type: 'ping', id: this.heartbeat.ping(now) });
    this.after('beat', PING_EVERY_MS, () => this.beat());
  }

  private say(message: ClientMessage): void {
    // A socket that is closing takes nothing more, and `onclose` follows.
    if (this.socket?.readyState === 1) this.socket.send(encode(message));
  }

  private wantedSize(): Size {
    const { cols, rows } = this.screen.size;
    return { cols: Math.min(cols, this.limits.cols), rows: Math.min(rows, this.limits.rows) };
  }

  private move(condition: Condition): void {
    this.condition = condition;
    this.watcher.moved(condition);
  }

  /** One timer a name; all end with the socket they were set for. */
  private after(name: string, delayMs: number, act: () => void): void {
    this.cancel(name);
    this.timers.set(
      name,
      setTimeout(() => {
        this.timers.delete(name);
        act();
      }, delayMs),
    );
  }

  private cancel(name: string): void {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }
}
