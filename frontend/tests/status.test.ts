import { describe, expect, it } from 'vitest';

import { ApiError, errorText } from '../src/api';
import { loginFailure } from '../src/login';
import { detailText, idleText } from '../src/menu';
import { DEFAULTS, parseSettings } from '../src/settings';
import { closeText, drainText, durationText, exitText, memoryText, roundTripText, stateText, Usage } from '../src/status';

describe('state', () => {
  it('counts down to the next attempt', () => {
    expect(stateText({ state: 'reconnecting', atMs: 3100 }, 1000)).toBe('Reconnecting in 3 s');
    expect(stateText({ state: 'reconnecting', atMs: 1200 }, 1000)).toBe('Reconnecting in 1 s');
    expect(stateText({ state: 'reconnecting', atMs: 900 }, 1000)).toBe('Reconnecting');
    expect(stateText({ state: 'reconnecting', atMs: null }, 1000)).toBe('Reconnecting');
  });

  it('says why it is closed: the server’s words, else what the code means', () => {
    expect(closeText(4404, 'no session has the id k3v9')).toBe('No session has the id k3v9 (4404)');
    expect(closeText(4429, '')).toBe('The limit of sessions is reached; end one first (4429)');
    expect(closeText(4999, '')).toBe('The connection was closed (4999)');
  });

  it('says how the shell ended', () => {
    expect(exitText({ status: 0, signal: null })).toBe('The shell exited with status 0');
    expect(exitText({ status: null, signal: 'SIGKILL' })).toBe('The shell was ended by SIGKILL');
    expect(exitText({ status: null, signal: null })).toBe('The shell ended');
  });
});

describe('a session in the list', () => {
  const session = { id: 'k', name: 'n', state: 'running', viewers: 0, idle_seconds: 90, busy: false, idle_timeout: 7200, ends_in: 7110 } as const;

  it('says when it ends, or why it does not', () => {
    expect(detailText(session, false)).toBe('1 min, ends in 1 h 58 min');
    expect(detailText({ ...session, ends_in: null }, false)).toBe('1 min');
    expect(detailText({ ...session, busy: true }, false)).toBe('busy');
    expect(detailText({ ...session, viewers: 2 }, false)).toBe('2 viewers');
  });

  it('says of the current one how long it is kept', () => {
    expect(detailText({ ...session, viewers: 1 }, true)).toBe('1 viewer, kept for 2 h 0 min after you leave');
    expect(detailText({ ...session, viewers: 1, idle_timeout: 0 }, true)).toBe('1 viewer');
  });
});

describe('a draining server', () => {
  it('counts down in the largest unit', () => {
    const seconds = [0.2, 59, 60, 3599, 3600, 7380, 200_000];
    expect(seconds.map((each) => durationText(each))).toEqual(['1 s', '59 s', '1 min', '59 min', '1 h 0 min', '2 h 3 min', '2 d']);
  });

  it('says until when it goes on', () => {
    expect(drainText(61_000, 1_000)).toBe('Server ends in 1 min');
    expect(drainText(1_000, 5_000)).toBe('Server ends in 0 s');
    expect(drainText(null, 0)).toBe('Server ends with its last session');
  });
});

describe('figures', () => {
  it('round-trip time', () => {
    expect([0.84, 9.96, 42.4].map(roundTripText)).toEqual(['0.8 ms', '10.0 ms', '42 ms']);
  });

  it('memory', () => {
    expect([3.7 * 2 ** 20, 512 * 2 ** 20, 1.5 * 2 ** 30].map(memoryText)).toEqual(['3.7 MiB', '512 MiB', '1.5 GiB']);
  });

  it('load is the difference of two readings', () => {
    const usage = new Usage();
    expect(usage.percent(10, 0)).toBeNull();
    expect(usage.percent(12.5, 5000)).toBeCloseTo(50);
    expect(usage.percent(12.5, 10_000)).toBe(0);
    expect(usage.percent(11, 15_000)).toBeNull();
    expect(usage.percent(11, 15_000)).toBeNull();
    expect(usage.percent(31, 20_000)).toBeCloseTo(400);
  });

  it('idleness in its largest unit', () => {
    expect([0, 59, 60, 3599, 3600, 90_000].map(idleText)).toEqual(['now', 'now', '1 min', '59 min', '1 h', '1 d']);
  });
});

describe('errors', () => {
  it('of the API are the server’s words, or the status of whatever else answered', () => {
    expect(errorText(429, '{"code":"rate_limit","message":"too many"}')).toBe('too many');
    expect(errorText(502, '<html>')).toBe('The server answered with status 502');
    expect(errorText(500, '{"message":7}')).toBe('The server answered with status 500');
    expect(errorText(500, 'null')).toBe('The server answered with status 500');
  });

  it('of a login say what to do', () => {
    expect(loginFailure(new ApiError(401, 'x'))).toMatch(/not valid/);
    expect(loginFailure(new ApiError(403, "origin 'x' is not allowed"))).toBe("Login failed: origin 'x' is not allowed.");
    expect(loginFailure(new ApiError(429, 'x'))).toMatch(/Wait a minute/);
    expect(loginFailure(new ApiError(0, 'x'))).toMatch(/running/);
    expect(loginFailure(new ApiError(500, 'disk full'))).toBe('Login failed: disk full.');
    expect(loginFailure(new Error('x'))).toMatch(/Try again/);
  });
});

describe('settings', () => {
  it('survive being missing or spoilt', () => {
    for (const kept of [null, '', 'x', '[]', 'null', '7', '{"theme":"pink","fontSize":"big","screenReader":1}']) {
      expect(parseSettings(kept)).toEqual(DEFAULTS);
    }
  });

  it('are kept within bounds', () => {
    expect(parseSettings('{"theme":"light","fontSize":400,"screenReader":true}')).toEqual({
      theme: 'light',
      fontSize: 32,
      screenReader: true,
    });
    expect(parseSettings('{"fontSize":-1}').fontSize).toBe(8);
  });
});
