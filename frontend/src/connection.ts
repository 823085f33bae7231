/**
 * The driver of one session's WebSocket: it passes what arrives to the modules that decide (`wire`, `stream`, `outbox`,
 * `reconnect`, `heartbeat`), sends what they return, and notifies a listener. It draws nothing itself.
 *
 * A page shows one session. A broken connection is reopened automatically and continues at the same byte.
 */

import { Drawing } from './drawing';
import { Heartbeat, PING_EVERY_MS } from './heartbeat';
import { Outbox } from './outbox';
import type { Attached, ClientMessage, Error as ErrorMessage, Limits, Mode, ProcessExited } from './messages';
import type { Origin } from './outbox';
import { afterClose, Backoff } from './reconnect';
import { Stream } from './stream';
import type { Gap } from './stream';
import { BINARY_SUBPROTOCOL, decodeServer, encode, encodeInput, WireError } from './wire';
import type { ServerMessage } from './wire';

/** Time until a connection attempt is abandoned. */
const DIAL_TIMEOUT_MS = 10_000;
/** After this long without output, even a few bytes are acknowledged. */
const IDLE_ACK_MS = 250;
/** A long paste waits while the browser has not sent this much. */
const UNSENT_BYTES = 256 * 1024;
const UNSENT_WAIT_MS = 10;
/** Ctrl-C. */
const INTERRUPT = '\x03';
/** What precedes the bytes in a frame of numbered input. */
const INPUT_HEAD_BYTES = 9;
const USAGE_INTERVAL_SECONDS = 5;
/** After a longer absence the person decides what becomes of input that was not delivered. */
const SEND_AGAIN_WITHIN_MS = 30_000;
/** Input that is not acknowledged for this long is shown as not delivered. */
const DELIVERY_MS = 2_000;
/** How much of it is shown. */
const SHOWN_BYTES = 80;
/** RFC 6455 section 7.1.5: the code of a connection that ended without a close frame. */
const ABNORMAL = 1006;
/** The code shown for an error that leaves the connection open but without the requested session. */
const ATTACH_REFUSED = 4400;

export interface Size {
  readonly cols: number;
  readonly rows: number;
}

/** The connection's state as the user sees it; `atMs` is when the next attempt is due, `null` while it runs. */
export type Condition =
  | { readonly state: 'connecting' }
  | { readonly state: 'connected' }
  | { readonly state: 'reconnecting'; readonly atMs: number | null }
  | { readonly state: 'ended'; readonly exit: ProcessExited }
  | { readonly state: 'closed'; readonly code: number; readonly reason: string }
  | { readonly state: 'login'; readonly reason: string };

/** Input that was not delivered: its length and beginning, and whether the person must decide what becomes of it. */
export interface Undelivered {
  readonly bytes: number;
  readonly beginning: string;
  readonly asks: boolean;
}

/** What the connection needs of a terminal. `drawn` is called once the bytes are drawn, in order. */
export interface Screen {
  readonly size: Size;
  write(data: Uint8Array | string, drawn: () => void): void;
}

/** Notified of changes. */
export interface ConnectionListener {
  conditionChanged(condition: Condition): void;
  attached(message: Attached): void;
  messageReceived(message: ServerMessage): void;
  /** The offset, the round-trip time or a counter changed. */
  statsChanged(): void;
  hint(text: string): void;
  /** Input waits that was not delivered; `null` if none does any more. */
  undelivered(what: Undelivered | null): void;
  /** The server did not open the connection, possibly because it asks for a login. */
  refused(): void;
}

/** Sockets, time and randomness; tests replace them. */
export interface Environment {
  dial(): WebSocket;
  nowMs(): number;
  random(): number;
}

export interface ConnectionOptions {
  /** `null` creates a new session. */
  readonly session: string | null;
  /** Of the new session: if the answer is lost, the next connection gets the same one and not another. */
  readonly key: string;
  readonly mode: Mode;
  /** 16 random hexadecimal digits, with which input is acknowledged. */
  readonly inputKey?: string;
}

type Phase = 'idle' | 'dialling' | 'authenticating' | 'attaching' | 'attached' | 'ended' | 'waiting';

export class Connection {
  readonly stream = new Stream();
  readonly drawing = new Drawing();
  readonly outbox = new Outbox();
  readonly heartbeat = new Heartbeat();
  readonly counts = { connections: 0, acks: 0, gaps: 0, redraws: 0 };
  session: string | null;
  mode: Mode;
  role = '';
  condition: Condition = { state: 'connecting' };
  /** What the server accepts; its defaults until it has reported them. */
  limits: Limits = { message_bytes: 1 << 20, cols: 500, rows: 200 };

  private readonly key: string;
  private phase: Phase = 'idle';
  private socket: WebSocket | null = null;
  private serverSize: Size | null = null;
  private fatal: string | null = null;
  private readonly backoff = new Backoff();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly encoder = new TextEncoder();
  /** What the last Ctrl-C dropped here; the server reports what it dropped itself. */
  private droppedBytes = 0;
  private readonly inputKey: string | null;
  private lostAtMs: number | null = null;
  private dropsUndelivered = false;
  private deliveryTimer: ReturnType<typeof setTimeout> | undefined;
  private showsUndelivered = false;

  constructor(
    options: ConnectionOptions,
    private readonly screen: Screen,
    private readonly listener: ConnectionListener,
    private readonly environment: Environment,
  ) {
    this.session = options.session;
    this.key = options.key;
    this.mode = options.mode;
    this.inputKey = options.inputKey ?? null;
  }

  // --- for the page

  /** Connects, also again after a login. */
  start(): void {
    this.outbox.state = 'attaching';
    this.setCondition({ state: 'connecting' });
    this.dial();
  }

  /** For when the network is back or the page is visible again: reconnects at once, or checks the connection. */
  reconnectNow(): void {
    if (this.phase === 'waiting') this.dial();
    else if (this.phase === 'attached') this.ping();
  }

  /** Keystrokes as text. */
  type(text: string, origin: Origin): void {
    if (text === INTERRUPT && this.outbox.state === 'paused') this.interrupt();
    else this.send(this.encoder.encode(text), origin);
  }

  /** Bytes that are not text, one per character: mouse reports in X10 encoding. */
  typeBinary(bytes: string, origin: Origin): void {
    this.send(Uint8Array.from(bytes, (character) => character.charCodeAt(0) & 0xff), origin);
  }

  /** The person wants what was not delivered to be sent. */
  sendUndelivered(): void {
    this.dropsUndelivered = false;
    if (this.outbox.state !== 'asking') return;
    this.outbox.state = 'open';
    this.flushInput();
    this.showUndelivered();
  }

  /** The person wants what was not delivered to be dropped: now, or as soon as the server says what it has. */
  dropUndelivered(): void {
    if (this.phase !== 'attached') {
      this.dropsUndelivered = true;
      this.showUndelivered();
      return;
    }
    this.dropsUndelivered = false;
    const bytes = this.outbox.drop();
    if (this.outbox.state === 'asking') this.outbox.state = 'open';
    if (bytes > 0) this.listener.hint(`Dropped: ${bytes} bytes that were not delivered`);
    this.flushInput();
    this.showUndelivered();
  }

  /** Sends the terminal's size unless the server has it. */
  resize(): void {
    if (this.phase !== 'attached' || this.mode !== 'write') return;
    const size = this.wantedSize();
    if (size.cols === this.serverSize?.cols && size.rows === this.serverSize.rows) return;
    this.serverSize = size;
    this.sendMessage({ type: 'resize', ...size });
  }

  /** Breaks the connection as a network failure does, without a close frame. */
  drop(): void {
    if (this.socket === null) return;
    this.closeSocket();
    this.closed(ABNORMAL, '');
  }

  /** Draws everything again that the server still has; for a new terminal, after drawing died in the one before. */
  redraw(): void {
    this.counts.redraws += 1;
    this.drawing.died();
    this.stream.restart();
    if (this.phase !== 'attached' && this.phase !== 'attaching') return;
    this.outbox.state = 'attaching';
    this.setCondition({ state: 'reconnecting', atMs: null });
    this.dial();
  }

  /** Stops until the next `start`; `reason` is shown to the user. */
  askForLogin(reason: string): void {
    this.closeSocket();
    this.phase = 'idle';
    this.outbox.state = 'attaching';
    this.setCondition({ state: 'login', reason });
  }

  // --- the socket

  private dial(): void {
    this.closeSocket();
    this.phase = 'dialling';
    this.fatal = null;
    this.counts.connections += 1;
    if (this.condition.state === 'reconnecting') this.setCondition({ state: 'reconnecting', atMs: null });
    const socket = this.environment.dial();
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.setTimer('dial', DIAL_TIMEOUT_MS, () => this.drop());
    socket.onopen = () => {
      this.phase = 'authenticating';
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.received(event.data);
    socket.onclose = (event) => {
      this.closeSocket();
      this.closed(event.code, event.reason);
    };
  }

  private closeSocket(): void {
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
    this.lostAtMs ??= this.environment.nowMs();
    if (!this.outbox.numbered) this.discardHeldInput();
    const next = afterClose(code);
    if (next === 'reconnect') this.scheduleReconnect(phase === 'dialling');
    else if (next === 'login') this.askForLogin(this.fatal ?? reason);
    else this.fail(code, this.fatal ?? reason);
  }

  private fail(code: number, reason: string): void {
    this.closeSocket();
    this.phase = 'idle';
    if (this.outbox.numbered) this.tellUndelivered();
    this.outbox.state = 'ended';
    this.setCondition({ state: 'closed', code, reason });
  }

  private scheduleReconnect(neverOpened: boolean): void {
    const delay = this.backoff.nextDelay(this.environment.nowMs(), this.environment.random());
    this.phase = 'waiting';
    this.outbox.state = 'disconnected';
    this.showUndelivered();
    this.setTimer('retry', delay, () => this.dial());
    this.setCondition({ state: 'reconnecting', atMs: this.environment.nowMs() + delay });
    if (neverOpened) this.listener.refused();
  }

  private discardHeldInput(): void {
    const bytes = this.outbox.clear();
    if (bytes > 0) this.listener.hint(`Not sent: ${bytes} bytes were still waiting when the connection broke`);
  }

  // --- receiving

  private received(payload: string | ArrayBuffer): void {
    try {
      this.handle(decodeServer(BINARY_SUBPROTOCOL, payload));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.fail(error.close, `The server said what this page does not understand: ${error.message}`);
    }
  }

  private handle(message: ServerMessage): void {
    switch (message.type) {
      case 'connection_status':
        this.limits = message.limits;
        if (message.status === 'authentication_required') this.askForLogin('');
        break;
      case 'authenticated':
        this.clearTimer('dial');
        this.role = message.role;
        if (message.role === 'viewer') this.mode = 'read';
        this.attach();
        break;
      case 'attached':
        this.attached(message);
        break;
      case 'output':
        this.write(message.offset, message.data);
        break;
      case 'gap':
        this.writeGap(this.stream.gap(message.to));
        break;
      case 'process_exited':
        this.shellExited(message);
        break;
      case 'pong':
        if (this.heartbeat.pong(message.id, this.environment.nowMs()) !== null) this.listener.statsChanged();
        break;
      case 'error':
        if (message.fatal) this.fatal = message.message;
        else if (this.phase === 'attaching') this.fail(ATTACH_REFUSED, message.message);
        else this.listener.hint(this.withDropped(message));
        break;
      case 'flow_control':
        this.flowControl(message.direction, message.state);
        break;
      case 'input_ack':
        if (!this.outbox.sent.ack(message.offset)) {
          throw new WireError('Malformed', `input_ack of ${message.offset}, but ${this.outbox.sent.end} bytes were sent`);
        }
        this.showUndelivered();
        this.flushInput();
        break;
      case 'resized':
        this.serverSize = { cols: message.cols, rows: message.rows };
        break;
    }
    this.listener.messageReceived(message);
  }

  private attach(): void {
    this.phase = 'attaching';
    this.outbox.state = 'attaching';
    this.sendMessage({
      type: 'attach',
      session: this.session,
      spec: this.session === null ? { key: this.key } : null,
      ...this.wantedSize(),
      resume_from: this.stream.received,
      mode: this.mode,
      usage_interval: USAGE_INTERVAL_SECONDS,
      input_key: this.mode === 'write' ? this.inputKey : null,
    });
    this.heartbeat.restart();
    this.ping();
  }

  private attached(message: Attached): void {
    this.phase = 'attached';
    this.backoff.connected(this.environment.nowMs());
    this.session = message.session;
    this.mode = message.mode;
    this.serverSize = { cols: message.cols, rows: message.rows };
    const gap = this.stream.attached(message.offset, message.end, message.window);
    this.setCondition({ state: 'connected' });
    this.listener.attached(message);
    this.writeGap(gap);
    this.resumeInput(message);
    this.flushInput();
    this.resize();
    this.listener.statsChanged();
  }

  /** What the server does not have of the input is sent again, unless the person wants to decide or has dropped it. */
  private resumeInput(message: Attached): void {
    const awayMs = this.lostAtMs === null ? 0 : this.environment.nowMs() - this.lostAtMs;
    this.lostAtMs = null;
    const uncertain = this.outbox.attached(message.input);
    if (uncertain > 0) this.listener.hint(`Whether the last ${uncertain} bytes of input arrived is unknown: look before you type them again`);
    this.outbox.state = message.mode === 'write' ? 'open' : 'readOnly';
    if (this.outbox.heldBytes > 0 && this.dropsUndelivered) this.dropUndelivered();
    else if (this.outbox.heldBytes > 0 && awayMs > SEND_AGAIN_WITHIN_MS && this.outbox.state === 'open') this.outbox.state = 'asking';
    this.dropsUndelivered = false;
    this.showUndelivered();
  }

  /** The connection will not come back: what was not delivered is lost. */
  private tellUndelivered(): void {
    const bytes = this.outbox.undeliveredBytes;
    this.outbox.forget();
    if (bytes > 0) this.listener.hint(`Not delivered: the last ${bytes} bytes of input`);
    this.showUndelivered();
  }

  /** Shows what was not delivered: without a connection at once, with one only what is late, or waits for a decision. */
  private showUndelivered(): void {
    clearTimeout(this.deliveryTimer);
    const { outbox } = this;
    const bytes = outbox.numbered && !this.dropsUndelivered ? outbox.undeliveredBytes : 0;
    const asks = outbox.state === 'asking';
    if (bytes > 0 && (asks || outbox.state === 'disconnected')) this.tellListener(bytes, asks);
    else if (this.showsUndelivered) this.tellListener(0, false);
    if (bytes > 0 && outbox.state === 'open') {
      const { acked } = outbox.sent;
      this.deliveryTimer = setTimeout(() => {
        if (outbox.state === 'open' && outbox.sent.acked === acked && outbox.undeliveredBytes > 0) {
          this.tellListener(outbox.undeliveredBytes, false);
        }
      }, DELIVERY_MS);
    }
  }

  private tellListener(bytes: number, asks: boolean): void {
    this.showsUndelivered = bytes > 0;
    const beginning = bytes > 0 ? new TextDecoder().decode(this.outbox.undelivered(SHOWN_BYTES)) : '';
    this.listener.undelivered(bytes > 0 ? { bytes, beginning, asks } : null);
  }

  private shellExited(message: ProcessExited): void {
    this.phase = 'ended';
    this.outbox.forget();
    this.outbox.state = 'ended';
    this.showUndelivered();
    this.clearTimer('ping');
    this.setCondition({ state: 'ended', exit: message });
    this.closeWhenDrawn();
  }

  /** A session that has ended sends nothing more, so the connection is not needed. */
  private closeWhenDrawn(): void {
    if (this.phase !== 'ended' || !this.stream.allDrawn || this.socket === null) return;
    this.acknowledge(true);
    this.sendMessage({ type: 'close' });
    this.closeSocket();
  }

  private write(offset: number, data: Uint8Array): void {
    const arrival = this.stream.receive(offset, data);
    this.writeGap(arrival.gap);
    for (const piece of this.drawing.cut(arrival.data, arrival.end, this.stream.replayEnd)) {
      this.screen.write(piece.data, () => this.drawn(piece.to));
    }
    this.listener.statsChanged();
  }

  private writeGap(gap: Gap | null): void {
    if (gap === null) return;
    this.counts.gaps += 1;
    const bytes = gap.to - gap.from;
    // CAN aborts an escape sequence that the gap cut in two (ECMA-48 8.3.4). Only faint is set and reset, no colour.
    const notice = `\x18\r\n\x1b[2m[${bytes} bytes of output were lost: the server keeps only its log]\x1b[22m\r\n`;
    this.drawing.interrupt(gap.to);
    this.screen.write(notice, () => this.drawn(gap.to));
    this.listener.statsChanged();
  }

  private drawn(offset: number): void {
    this.drawing.drawn();
    this.stream.markDrawn(offset);
    this.acknowledge(false);
    if (this.stream.drawn > this.stream.acked && !this.timers.has('ack')) {
      this.setTimer('ack', IDLE_ACK_MS, () => this.acknowledge(true));
    }
    this.closeWhenDrawn();
  }

  private acknowledge(idle: boolean): void {
    if (this.socket === null || (this.phase !== 'attached' && this.phase !== 'ended')) return;
    const offset = this.stream.takeAck(idle);
    if (offset === null) return;
    this.counts.acks += 1;
    this.sendMessage({ type: 'ack', offset });
  }

  private flowControl(direction: 'input' | 'output', state: 'paused' | 'resumed'): void {
    if (direction === 'output') {
      if (state === 'paused') this.acknowledge(true);
    } else if (this.outbox.state === 'open' || this.outbox.state === 'paused') {
      this.outbox.state = state === 'paused' ? 'paused' : 'open';
      if (state === 'paused') this.droppedBytes = 0;
      this.flushInput();
    }
  }

  // --- sending

  private send(data: Uint8Array, origin: Origin): void {
    const refusal = this.outbox.offer(data, origin, this.stream.replaying);
    if (refusal !== null) this.listener.hint(refusal);
    this.flushInput();
  }

  /** Sends Ctrl-C ahead of what is held, and drops that: the program does not read. */
  private interrupt(): void {
    this.droppedBytes = this.outbox.clear();
    this.sendPiece(this.encoder.encode(INTERRUPT));
    if (this.droppedBytes > 0) this.listener.hint(`Ctrl-C: ${this.droppedBytes} bytes that were not sent yet are dropped`);
  }

  /** An error's text, with the number of bytes that the same Ctrl-C dropped here. */
  private withDropped(error: ErrorMessage): string {
    const dropped = error.code === 'input_overflow' ? this.droppedBytes : 0;
    this.droppedBytes = 0;
    return dropped > 0 ? `${error.message}; ${dropped} more were not sent yet` : error.message;
  }

  /** Sends one piece now, and the next after the page has handled what arrived meanwhile. */
  private flushInput(): void {
    const socket = this.socket;
    if (socket === null || this.timers.has('flush')) return;
    if (socket.bufferedAmount > UNSENT_BYTES) {
      this.setTimer('flush', UNSENT_WAIT_MS, () => this.flushInput());
      return;
    }
    const piece = this.outbox.take(this.limits.message_bytes - INPUT_HEAD_BYTES);
    if (piece === null) return;
    this.sendPiece(piece);
    if (this.outbox.heldBytes > 0) this.setTimer('flush', 0, () => this.flushInput());
  }

  private sendPiece(piece: Uint8Array): void {
    const wasDelivered = this.outbox.sent.bytes === 0;
    this.socket?.send(encodeInput(piece, this.outbox.number(piece)));
    if (wasDelivered && this.outbox.numbered) this.showUndelivered();
  }

  private ping(): void {
    const now = this.environment.nowMs();
    if (this.heartbeat.isDead(now)) {
      this.drop();
      return;
    }
    this.sendMessage({ type: 'ping', id: this.heartbeat.ping(now) });
    this.setTimer('ping', PING_EVERY_MS, () => this.ping());
  }

  private sendMessage(message: ClientMessage): void {
    // A socket that is closing accepts nothing more; `onclose` follows.
    if (this.socket?.readyState === 1) this.socket.send(encode(message));
  }

  private wantedSize(): Size {
    const { cols, rows } = this.screen.size;
    return { cols: Math.min(cols, this.limits.cols), rows: Math.min(rows, this.limits.rows) };
  }

  private setCondition(condition: Condition): void {
    this.condition = condition;
    this.listener.conditionChanged(condition);
  }

  /** One timer per name; all are cleared with their socket. */
  private setTimer(name: string, delayMs: number, act: () => void): void {
    this.clearTimer(name);
    this.timers.set(
      name,
      setTimeout(() => {
        this.timers.delete(name);
        act();
      }, delayMs),
    );
  }

  private clearTimer(name: string): void {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }
}
