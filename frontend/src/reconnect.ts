/**
 * Whether and when to reconnect. Randomness and time are arguments.
 */

export const FIRST_DELAY_MS = 250;
export const LAST_DELAY_MS = 10_000;
/** After a connection that lasted this long, the next loss starts again with the shortest delay. */
export const STABLE_MS = 5_000;

/** The close codes of `docs/protocol.md` after which the page reconnects. */
const TRANSIENT: ReadonlySet<number> = new Set([1001, 1006, 1011, 1012, 1013]);

/** What follows a close: reconnect, ask for a login (it may have expired, like the session), or stop. */
export function afterClose(code: number): 'reconnect' | 'login' | 'stop' {
  if (TRANSIENT.has(code)) return 'reconnect';
  return code === 4000 || code === 4001 ? 'login' : 'stop';
}

/** Delay before attempt `attempt` (from 0): doubles up to `LAST_DELAY_MS`; the upper half is random. */
export function delayMs(attempt: number, random: number): number {
  const ceiling = Math.min(LAST_DELAY_MS, 2 * FIRST_DELAY_MS * 2 ** attempt);
  return ceiling / 2 + (ceiling / 2) * random;
}

/** Exponential backoff: counts attempts, and starts again after a stable connection. */
export class Backoff {
  count = 0;
  private attachedAtMs: number | null = null;

  connected(nowMs: number): void {
    this.attachedAtMs = nowMs;
  }

  /** A connection was lost or could not be opened: how long to wait before the next attempt. */
  nextDelay(nowMs: number, random: number): number {
    if (this.attachedAtMs !== null && nowMs - this.attachedAtMs >= STABLE_MS) this.count = 0;
    this.attachedAtMs = null;
    const delay = delayMs(this.count, random);
    this.count += 1;
    return delay;
  }
}
