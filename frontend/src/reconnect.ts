/**
 * Whether and when to connect again. Randomness and time are arguments.
 */

export const FIRST_DELAY_MS = 250;
export const LAST_DELAY_MS = 10_000;
/** A connection that held so long was a good one: the next loss starts again with the shortest delay. */
export const STABLE_MS = 5_000;

/** The close codes of `docs/protocol.md` that a page does not take for an answer. */
const PASSING: ReadonlySet<number> = new Set([1001, 1006, 1011, 1012, 1013]);

/** What follows a close: try again, ask who is there (the login is gone, or the session), or leave it at that. */
export function afterClose(code: number): 'reconnect' | 'login' | 'stop' {
  if (PASSING.has(code)) return 'reconnect';
  return code === 4000 || code === 4001 ? 'login' : 'stop';
}

/** Delay before attempt `attempt` (from 0): doubling up to the last one, of which the upper half is chance. */
export function delayMs(attempt: number, random: number): number {
  const ceiling = Math.min(LAST_DELAY_MS, 2 * FIRST_DELAY_MS * 2 ** attempt);
  return ceiling / 2 + (ceiling / 2) * random;
}

/** Counts attempts, and forgets them after a connection that held. */
export class Attempts {
  count = 0;
  private attachedAtMs: number | null = null;

  attached(nowMs: number): void {
    this.attachedAtMs = nowMs;
  }

  /** A connection was lost, or could not be made: how long to wait before the next. */
  lost(nowMs: number, random: number): number {
    if (this.attachedAtMs !== null && nowMs - this.attachedAtMs >= STABLE_MS) this.count = 0;
    this.attachedAtMs = null;
    const delay = delayMs(this.count, random);
    this.count += 1;
    return delay;
  }
}
