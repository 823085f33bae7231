/**
 * Round-trip time, and detection of a dead connection. Time is an argument, in milliseconds.
 */

export const PING_EVERY_MS = 5_000;
/** A `ping` without an answer for this long means that the network is gone. */
export const DEAD_AFTER_MS = 10_000;

export class Heartbeat {
  rttMs: number | null = null;
  private nextId = 1;
  private readonly unanswered = new Map<number, number>();

  /** Registers a `ping` that is sent now; returns its id. */
  ping(nowMs: number): number {
    const id = this.nextId++;
    this.unanswered.set(id, nowMs);
    return id;
  }

  /** Handles a `pong`: the round-trip time, or `null` if there was no such `ping`. It also answers all earlier pings. */
  pong(id: number, nowMs: number): number | null {
    const sentMs = this.unanswered.get(id);
    if (sentMs === undefined) return null;
    for (const earlier of [...this.unanswered.keys()]) if (earlier <= id) this.unanswered.delete(earlier);
    this.rttMs = nowMs - sentMs;
    return this.rttMs;
  }

  isDead(nowMs: number): boolean {
    const oldest = this.unanswered.values().next();
    return !oldest.done && nowMs - oldest.value >= DEAD_AFTER_MS;
  }

  /** For a new connection: pings of the last one will not be answered. */
  restart(): void {
    this.unanswered.clear();
  }
}
