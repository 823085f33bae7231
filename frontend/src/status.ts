/**
 * The state of the connection as text, and the status bar and notice that show it.
 */

import type { Condition, Size, Undelivered } from './connection';
import { element } from './elements';
import type { ConnectionStatus, ProcessExited, ResourceUsage } from './messages';
import { harmless } from './paste';

/** The meaning of a close code, used if the server sent no reason. */
const CLOSE_TEXT: Readonly<Record<number, string>> = {
  1000: 'This session was ended',
  1003: 'The server refused what this page sent',
  1007: 'The server refused what this page sent',
  1009: 'A message was larger than the server accepts',
  4001: 'This session idled too long and was ended',
  4002: 'Too many messages or failed logins; wait a minute',
  4003: 'You may not use this session',
  4400: 'The server did not understand this page; reload it',
  4404: 'This session does not exist any more',
  4410: 'This session was lost with the process that kept it',
  4409: 'The server did not expect what this page sent; reload it',
  4429: 'The limit of sessions is reached; end one first',
  4500: 'The shell could not be started',
  4503: 'The server takes no new sessions',
};

/** The status bar's text for a condition; `nowMs` is for the countdown. */
export function stateText(condition: Condition, nowMs: number): string {
  switch (condition.state) {
    case 'connecting':
      return 'Connecting';
    case 'connected':
      return 'Connected';
    case 'reconnecting': {
      const seconds = condition.atMs === null ? 0 : Math.ceil((condition.atMs - nowMs) / 1000);
      return seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting';
    }
    case 'ended':
      return 'Ended';
    case 'closed':
      return 'Closed';
    case 'login':
      return 'Login needed';
  }
}

/** Why a connection is closed: the server's reason, or the meaning of its code. */
export function closeText(code: number, reason: string): string {
  const text = reason === '' ? (CLOSE_TEXT[code] ?? 'The connection was closed') : reason;
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} (${code})`;
}

/** A number of seconds, in its largest unit; hours with minutes. */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.ceil(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d`;
}

/** How long a draining server goes on; `endsAtMs` is `null` if it waits for its last session. */
export function drainText(endsAtMs: number | null, nowMs: number): string {
  return endsAtMs === null ? 'Server ends with its last session' : `Server ends in ${durationText((endsAtMs - nowMs) / 1000)}`;
}

export function exitText({ status, signal }: Pick<ProcessExited, 'status' | 'signal'>): string {
  if (signal !== null) return `The shell was ended by ${signal}`;
  return status === null ? 'The shell ended' : `The shell exited with status ${status}`;
}

/** What was not delivered, as a sentence with its beginning. */
export function undeliveredText({ bytes, beginning, asks }: Undelivered): string {
  const text = harmless(beginning).trim();
  const shown = text.length < bytes ? `${text}…` : text;
  return `${asks ? 'Not delivered' : 'Not delivered yet'}: “${shown}” (${bytes} ${bytes === 1 ? 'byte' : 'bytes'})`;
}

/** Below 10 ms with one decimal: a local server answers in less than a millisecond. */
export function roundTripText(rttMs: number): string {
  return `${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`;
}

export function memoryText(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024 ? `${mebibytes.toFixed(mebibytes < 10 ? 1 : 0)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** Processor usage from readings of a counter of seconds, in percent of one processor. */
export class Usage {
  private last: { readonly cpuSeconds: number; readonly nowMs: number } | null = null;

  /** `null` for the first reading, and when the counter fell because a child process ended. */
  percent(cpuSeconds: number, nowMs: number): number | null {
    const last = this.last;
    this.last = { cpuSeconds, nowMs };
    if (last === null || nowMs <= last.nowMs || cpuSeconds < last.cpuSeconds) return null;
    return ((cpuSeconds - last.cpuSeconds) / (nowMs - last.nowMs)) * 100_000;
  }
}

const HINT_MS = 5_000;
const COUNTDOWN_MS = 250;
const DRAIN_COUNTDOWN_MS = 1_000;

/** The actions of the buttons in the status bar and the notice. */
export interface StatusActions {
  reconnectNow(): void;
  newSession(): void;
  fitHere(): void;
  sendUndelivered(): void;
  dropUndelivered(): void;
}

export class Status {
  private readonly root = document.documentElement;
  private readonly name = element('name', HTMLHeadingElement);
  private readonly state = element('state', HTMLParagraphElement);
  private readonly retryButton = element('hurry', HTMLButtonElement);
  private readonly drain = element('drain', HTMLSpanElement);
  private readonly usage = element('usage', HTMLSpanElement);
  private readonly size = element('size', HTMLButtonElement);
  private readonly rtt = element('rtt', HTMLSpanElement);
  private readonly notice = element('notice', HTMLElement);
  private readonly noticeText = element('notice-text', HTMLParagraphElement);
  private readonly noticeButton = element('notice-button', HTMLButtonElement);
  private readonly hint = element('hint', HTMLParagraphElement);
  private readonly undelivered = element('undelivered', HTMLElement);
  private readonly undeliveredText = element('undelivered-text', HTMLParagraphElement);
  private readonly sendButton = element('undelivered-send', HTMLButtonElement);
  private readonly load = new Usage();
  private countdown: ReturnType<typeof setInterval> | undefined;
  private drainCountdown: ReturnType<typeof setInterval> | undefined;
  private hintTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(actions: StatusActions) {
    this.retryButton.addEventListener('click', () => actions.reconnectNow());
    this.noticeButton.addEventListener('click', () => actions.newSession());
    this.size.addEventListener('click', () => actions.fitHere());
    this.sendButton.addEventListener('click', () => actions.sendUndelivered());
    element('undelivered-drop', HTMLButtonElement).addEventListener('click', () => actions.dropUndelivered());
  }

  show(condition: Condition): void {
    this.root.dataset['state'] = condition.state;
    clearInterval(this.countdown);
    this.showState(condition);
    if (condition.state === 'reconnecting' && condition.atMs !== null) {
      this.countdown = setInterval(() => this.showState(condition), COUNTDOWN_MS);
    }
    this.retryButton.hidden = condition.state !== 'reconnecting';
    if (condition.state !== 'connected') this.rtt.hidden = this.usage.hidden = true;
    if (condition.state === 'ended') this.showNotice(exitText(condition.exit));
    else if (condition.state === 'closed') this.showNotice(closeText(condition.code, condition.reason));
    else this.notice.hidden = true;
  }

  showSession(session: string, name: string): void {
    this.root.dataset['session'] = session;
    this.name.textContent = name || session;
    this.name.title = session;
  }

  /** `foreign`: another viewer set the size; a click then fits the terminal to this window. */
  showSize({ cols, rows }: Size, foreign: boolean, readOnly: boolean): void {
    this.size.hidden = false;
    this.size.disabled = !foreign || readOnly;
    this.size.classList.toggle('foreign', foreign);
    this.size.textContent = `${cols} × ${rows}${readOnly ? ', watching' : foreign ? ', set by another viewer' : ''}`;
    this.size.title = foreign && !readOnly ? 'Fit the terminal to this window' : 'Columns and rows';
  }

  /** Counts down to the end of a draining server. The countdown is silent; a hint, which is read aloud, comes first. */
  showDrain({ draining, ends_in }: Pick<ConnectionStatus, 'draining' | 'ends_in'>, nowMs: number): void {
    clearInterval(this.drainCountdown);
    const begins = draining && this.drain.hidden;
    this.drain.hidden = !draining;
    this.root.toggleAttribute('data-draining', draining);
    if (!draining) return;
    const endsAtMs = ends_in === null ? null : nowMs + ends_in * 1000;
    const show = (): void => {
      const text = drainText(endsAtMs, performance.now());
      if (this.drain.textContent !== text) this.drain.textContent = text;
    };
    show();
    this.drainCountdown = setInterval(show, DRAIN_COUNTDOWN_MS);
    if (begins) this.showHint(`${drainText(endsAtMs, nowMs)}. It takes no new sessions; finish here in time`);
  }

  showRoundTrip(rttMs: number | null): void {
    if (rttMs === null) return;
    this.root.dataset['rtt'] = rttMs.toFixed(2);
    this.rtt.hidden = false;
    this.rtt.textContent = roundTripText(rttMs);
  }

  showOffset(offset: number): void {
    this.root.dataset['offset'] = String(offset);
  }

  showUsage(message: ResourceUsage, nowMs: number): void {
    const percent = this.load.percent(message.cpu_seconds, nowMs);
    const load = percent === null ? '' : `${percent.toFixed(percent < 10 ? 1 : 0)} % · `;
    this.usage.hidden = false;
    this.usage.textContent = `${load}${memoryText(message.memory_bytes)}`;
  }

  /** Shows input that was not delivered, with what can be done about it. */
  showUndelivered(what: Undelivered | null): void {
    this.undelivered.hidden = what === null;
    if (what === null) return;
    this.undeliveredText.textContent = undeliveredText(what);
    this.sendButton.hidden = !what.asks;
  }

  /** Shows a message for a few seconds. */
  showHint(text: string): void {
    this.hint.textContent = text;
    this.hint.classList.add('shown');
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => this.hint.classList.remove('shown'), HINT_MS);
    this.state.classList.remove('struck');
    // Reading a layout property in between restarts the animation.
    void this.state.offsetWidth;
    this.state.classList.add('struck');
  }

  private showState(condition: Condition): void {
    const text = stateText(condition, performance.now());
    // A screen reader reads a live region on every change, so it is only written if the text differs.
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  private showNotice(text: string): void {
    this.noticeText.textContent = text;
    this.notice.hidden = false;
    this.noticeButton.focus();
  }
}
