/**
 * The REST calls of the page. A failure is an `ApiError` with a message for the user.
 */

import { apiUrl } from './address';

export interface SessionSummary {
  readonly id: string;
  readonly name: string;
  readonly state: 'starting' | 'running' | 'ending' | 'ended';
  readonly viewers: number;
  readonly idle_seconds: number;
  /** Whether the shell runs a job in the foreground. */
  readonly busy: boolean;
  /** Idle seconds after which a session is ended; 0 is no limit. */
  readonly idle_timeout: number;
  /** Seconds until it is ended if nothing happens to it. */
  readonly ends_in: number | null;
}

export class ApiError extends Error {
  /** `status` is 0 if there was no answer. */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export class Api {
  constructor(private readonly base: string) {}

  /** Exchange a token for the login cookie. */
  async login(token: string): Promise<void> {
    await this.call('POST', 'login', { token });
  }

  /** End the login of the cookie, on all its connections. */
  async logout(): Promise<void> {
    await this.call('POST', 'logout');
  }

  /** Whether the cookie is valid: `false` if the server asks for a login. */
  async isLoggedIn(): Promise<boolean> {
    try {
      await this.call('GET', 'me');
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return false;
      throw error;
    }
  }

  async sessions(): Promise<readonly SessionSummary[]> {
    const body = (await this.call('GET', 'sessions')) as { sessions: readonly SessionSummary[] };
    return body.sessions;
  }

  async rename(session: string, name: string): Promise<void> {
    await this.call('PATCH', `sessions/${encodeURIComponent(session)}`, { name });
  }

  async end(session: string): Promise<void> {
    await this.call('DELETE', `sessions/${encodeURIComponent(session)}`);
  }

  private async call(method: string, path: string, body?: object): Promise<unknown> {
    const init: RequestInit = { method, credentials: 'same-origin', cache: 'no-store' };
    if (body !== undefined) {
      init.headers = { 'Content-Type': 'application/json' };
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await fetch(apiUrl(this.base, path), init);
    } catch {
      throw new ApiError(0, 'The server does not answer');
    }
    const text = await response.text();
    if (!response.ok) throw new ApiError(response.status, errorText(response.status, text));
    return text === '' ? null : JSON.parse(text);
  }
}

/** The message in an error's body, which is `{"code", "message"}` if our server sent it. */
export function errorText(status: number, body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === 'string' && message !== '') return message;
  } catch {
    // Not JSON, for example a proxy's error page: only the status is useful.
  }
  return `The server answered with status ${status}`;
}
