import { describe, expect, it } from 'vitest';

import { apiUrl, sessionIn, socketUrl, tokenIn, withoutFragment, withSession } from '../src/address';

describe('addresses under a base', () => {
  it.each([
    ['http://localhost:7681/', 'ws://localhost:7681/ws', 'http://localhost:7681/api/v1/login'],
    ['https://example.org/term/', 'wss://example.org/term/ws', 'https://example.org/term/api/v1/login'],
    ['https://example.org/a/b/?session=x#token=y', 'wss://example.org/a/b/ws', 'https://example.org/a/b/api/v1/login'],
    ['http://[::1]:8080/index.html', 'ws://[::1]:8080/ws', 'http://[::1]:8080/api/v1/login'],
  ])('%s', (base, socket, api) => {
    expect(socketUrl(base)).toBe(socket);
    expect(apiUrl(base, 'login')).toBe(api);
  });
});

describe('the session in the address', () => {
  it('is read, set and taken out', () => {
    expect(sessionIn('http://h/?session=k3v9')).toBe('k3v9');
    expect(sessionIn('http://h/')).toBeNull();
    expect(sessionIn('http://h/?session=')).toBeNull();
    expect(withSession('http://h/term/?theme=x', 'a b')).toBe('http://h/term/?theme=x&session=a+b');
    expect(sessionIn(withSession('http://h/', 'a+b&c'))).toBe('a+b&c');
    expect(withSession('http://h/?session=old', 'new')).toBe('http://h/?session=new');
    expect(withSession('http://h/?session=old', null)).toBe('http://h/');
  });
});

describe('the token in the fragment', () => {
  it.each([
    ['#token=abc', 'abc'],
    ['#token=a%2Bb%2F', 'a+b/'],
    ['#token=a+b/c==', 'a+b/c=='],
    ['#x=1&token=abc&y=2', 'abc'],
    ['#token=50%', '50%'],
    ['#token=', null],
    ['#mytoken=abc', null],
    ['#', null],
    ['', null],
  ])('%s', (hash, token) => {
    expect(tokenIn(hash)).toBe(token);
  });

  it('leaves nothing behind', () => {
    expect(withoutFragment('http://h/term/?session=a#token=b#c')).toBe('http://h/term/?session=a');
    expect(withoutFragment('http://h/')).toBe('http://h/');
  });
});
