/**
 * The page's address: the server, the session and the token in it. Text in, text out.
 *
 * Everything is relative to the document's base, so that the page works under any path of a reverse proxy.
 */

/** Address of an API path, such as `api/v1/login`. */
export function apiUrl(base: string, path: string): string {
  return new URL(`api/v1/${path}`, base).href;
}

/** Address of the WebSocket. */
export function socketUrl(base: string): string {
  const url = new URL('ws', base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** The session that `href` names. */
export function sessionIn(href: string): string | null {
  return new URL(href).searchParams.get('session') || null;
}

/** `href` with `session` instead of its own, or without one; the rest is unchanged. */
export function withSession(href: string, session: string | null): string {
  const url = new URL(href);
  if (session === null) url.searchParams.delete('session');
  else url.searchParams.set('session', session);
  return url.href;
}

/**
 * The token in a fragment such as `#token=...`, or `null`.
 *
 * Not read with URLSearchParams, which takes a plus sign for a space.
 */
export function tokenIn(hash: string): string | null {
  const raw = /^#(?:.*&)?token=([^&]+)/.exec(hash)?.[1];
  if (raw === undefined) return null;
  try {
    return decodeURIComponent(raw);
  } catch {
    // An invalid percent sign: the token was not encoded.
    return raw;
  }
}

/** `href` without its fragment, so that a token in it is neither in the history nor on the screen. */
export function withoutFragment(href: string): string {
  return href.split('#', 1)[0] ?? href;
}
