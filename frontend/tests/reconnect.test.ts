import { describe, expect, it } from 'vitest';

import { afterClose, Backoff, delayMs, FIRST_DELAY_MS, LAST_DELAY_MS, STABLE_MS } from '../src/reconnect';

describe('afterClose', () => {
  it.each([1001, 1006, 1011, 1012, 1013])('reconnects after %d', (code) => {
    expect(afterClose(code)).toBe('reconnect');
  });

  it.each([1000, 1003, 1005, 1007, 1009, 4002, 4003, 4400, 4404, 4409, 4429, 4500])('stops after %d', (code) => {
    expect(afterClose(code)).toBe('stop');
  });

  it.each([4000, 4001])('asks for a login after %d', (code) => {
    expect(afterClose(code)).toBe('login');
  });
});

describe('delayMs', () => {
  it('starts at 250 ms and ends at 10 s, whatever the chance', () => {
    expect(delayMs(0, 0)).toBe(FIRST_DELAY_MS);
    expect(delayMs(50, 1)).toBe(LAST_DELAY_MS);
    for (let attempt = 0; attempt < 2000; attempt++) {
      const delay = delayMs(attempt, attempt / 2000);
      expect(delay).toBeGreaterThanOrEqual(FIRST_DELAY_MS);
      expect(delay).toBeLessThanOrEqual(LAST_DELAY_MS);
    }
  });

  it('doubles', () => {
    expect([0, 1, 2, 3].map((attempt) => delayMs(attempt, 0))).toEqual([250, 500, 1000, 2000]);
  });
});

describe('Backoff', () => {
  it('starts over after a connection that held, and not after one that fell at once', () => {
    const backoff = new Backoff();
    expect([backoff.nextDelay(0, 0), backoff.nextDelay(0, 0), backoff.nextDelay(0, 0)]).toEqual([250, 500, 1000]);
    backoff.connected(0);
    expect(backoff.nextDelay(STABLE_MS - 1, 0)).toBe(2000);
    backoff.connected(10_000);
    expect(backoff.nextDelay(10_000 + STABLE_MS, 0)).toBe(250);
  });
});
