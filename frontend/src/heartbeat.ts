/**
 * Round-trip time, and the suspicion that nobody is there any more. Time is an argument, in milliseconds.
 */

export const PING_EVERY_MS = 5_000;
/** A `ping` without an answer for so long means that the network is gone and did not say so. */
export const DEAD_AFTER_MS = 10_000;

export class Heartbeat {
  rttMs: number | null = null;
  private nextId = 1;
  private readonly unanswered = new Map<number, number>();

  /** A `ping` is sent now; gives its id. */
  ping(nowMs: number): number {
    const id = this.nextId++;
    this.unanswered.set(id, nowMs);
    return id;
  }

  /** A `pong` came; gives the round-trip time, or `null` where nobody asked. An answer settles what was asked before it. */
  pong(id: number, nowMs: number): number | null {
    const sentMs = this.unanswered.get(id);
    if (sentMs === undefined) return null;
    for (const earlier of [...this.unanswered.keys()]) if (earlier <= id) this.unanswered.delete(earlier);
    this.rttMs = nowMs - sentMs;
    return this.rttMs;
  }

  dead(nowMs: number): boolean {
    const oldest = this.unanswered.values().next();
    return !oldest.done && nowMs - oldest.value >= DEAD_AFTER_MS;
  }

  /** A new connection: what was asked on the last one will not be answered. */
  restart(): void {
    this.unanswered.clear();
  }
}
