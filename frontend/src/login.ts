/**
 * Login: exchanges the token in the address, or the one typed into the form, for a cookie.
 */

import { tokenIn, withoutFragment } from './address';
import { ApiError } from './api';
import type { Api } from './api';
import { element } from './elements';

/** The token in the page's address. Removes it from there at once, before anything else can fail. */
export function takeToken(): string | null {
  const token = tokenIn(location.hash);
  if (token !== null) history.replaceState(history.state, '', withoutFragment(location.href));
  return token;
}

/** Why a login failed, as text for the form. */
export function loginFailure(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Something went wrong. Try again.';
  switch (error.status) {
    case 0:
      return 'The server does not answer. Is it running?';
    case 401:
      return 'This token is not valid. Check that it is complete.';
    case 429:
      return 'Too many failed logins. Wait a minute, then try again.';
    default:
      return `Login failed: ${error.message}.`;
  }
}

export class Login {
  private readonly overlay = element('login', HTMLDivElement);
  private readonly form = element('login-form', HTMLFormElement);
  private readonly token = element('token', HTMLInputElement);
  private readonly error = element('login-error', HTMLParagraphElement);
  private readonly button = element('login-button', HTMLButtonElement);

  constructor(
    private readonly api: Api,
    private readonly loggedIn: () => void,
    private readonly refused: (reason: string) => void,
  ) {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.logIn(this.token.value.trim());
    });
  }

  show(reason: string): void {
    this.overlay.hidden = false;
    for (const sibling of this.background()) sibling.inert = true;
    this.error.textContent = reason;
    this.token.value = '';
    this.token.focus();
  }

  /** Log in with `token`. */
  async logIn(token: string): Promise<void> {
    this.button.disabled = true;
    try {
      await this.api.login(token);
    } catch (error) {
      this.refused(loginFailure(error));
      return;
    } finally {
      this.button.disabled = false;
    }
    this.overlay.hidden = true;
    this.token.value = '';
    for (const sibling of this.background()) sibling.inert = false;
    this.loggedIn();
  }

  /** Everything behind the form, which must not be reachable with the keyboard. */
  private background(): HTMLElement[] {
    return [...document.body.children].filter((child): child is HTMLElement => child instanceof HTMLElement && child !== this.overlay);
  }
}
