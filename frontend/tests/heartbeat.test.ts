import { describe, expect, it } from 'vitest';

import { DEAD_AFTER_MS, Heartbeat } from '../src/heartbeat';

describe('Heartbeat', () => {
  it('measures from a ping to the pong with its id', () => {
    const heartbeat = new Heartbeat();
    const first = heartbeat.ping(100);
    const second = heartbeat.ping(200);
    expect(first).not.toBe(second);
    expect(heartbeat.pong(second, 250)).toBe(50);
    expect(heartbeat.rttMs).toBe(50);
  });

  it('ignores answers that nobody waits for', () => {
    const heartbeat = new Heartbeat();
    expect(heartbeat.pong(9, 0)).toBeNull();
    const id = heartbeat.ping(0);
    heartbeat.restart();
    expect(heartbeat.pong(id, 1)).toBeNull();
    expect(heartbeat.rttMs).toBeNull();
  });

  it('is dead when the oldest ping waits too long, and not after an answer', () => {
    const heartbeat = new Heartbeat();
    expect(heartbeat.isDead(1e9)).toBe(false);
    heartbeat.ping(0);
    const second = heartbeat.ping(5000);
    expect(heartbeat.isDead(DEAD_AFTER_MS - 1)).toBe(false);
    expect(heartbeat.isDead(DEAD_AFTER_MS)).toBe(true);
    heartbeat.pong(second, DEAD_AFTER_MS);
    expect(heartbeat.isDead(DEAD_AFTER_MS)).toBe(false);
  });
});
