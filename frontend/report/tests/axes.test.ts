import { describe, expect, it } from 'vitest';
import { scaleOf, ticksOf } from '../src/axes';

describe('axes', () => {
  it('leave a little air at both ends and never pass zero', () => {
    expect(scaleOf('linear', [0, 100], [0, 500]).domain()[0]).toBe(0);
    const [low = 0, high = 0] = scaleOf('log', [10, 1000], [0, 500]).domain();
    expect(low).toBeLessThan(10);
    expect(high).toBeGreaterThan(1000);
  });

  it('take a single value for a domain', () => {
    const scale = scaleOf('linear', [5, 5], [0, 100]);
    expect(Number.isFinite(scale(5))).toBe(true);
    expect(Number.isFinite(scaleOf('linear', [0, 0], [0, 100])(0))).toBe(true);
  });

  it.each([2, 4, 8, 16])('have at most %d ticks, in order and inside', (most) => {
    for (const [low, high] of [[1, 9], [3, 4], [1e3, 1e9], [45e3, 3.4e6]] as const) {
      const scale = scaleOf('log', [low, high], [0, 500]);
      const ticks = ticksOf(scale, 'log', most);
      expect(ticks.length).toBeGreaterThan(0);
      expect(ticks.length).toBeLessThanOrEqual(most + 2);
      expect([...ticks].sort((one, other) => one - other)).toEqual(ticks);
    }
  });
});
