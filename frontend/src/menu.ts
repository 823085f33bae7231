/**
 * The menu: sessions, this session, view settings. All items are native controls that Tab and the arrow keys reach.
 */

import type { SessionSummary } from './api';
import { element } from './elements';
import { fittingFontSize } from './settings';
import type { Settings } from './settings';
import { durationText } from './status';

/** The actions of the menu's items. */
export interface MenuActions {
  sessions(): Promise<readonly SessionSummary[]>;
  /** `null` if no session is attached. */
  current(): { readonly id: string; readonly name: string } | null;
  /** Address of the page for `session`, or for a new one. */
  address(session: string | null): string;
  rename(name: string): Promise<void>;
  end(): Promise<void>;
  logout(): Promise<void>;
  settings(): Settings;
  changed(settings: Settings): void;
  closed(): void;
  failed(error: unknown): void;
}

/** How long a session has been idle, in its largest unit. */
export function idleText(seconds: number): string {
  if (seconds < 60) return 'now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export class Menu {
  private readonly menu = element('menu', HTMLDivElement);
  private readonly button = element('menu-button', HTMLButtonElement);
  private readonly list = element('sessions', HTMLUListElement);
  private readonly fontSize = element('font-size', HTMLOutputElement);
  private readonly reader = element('reader', HTMLInputElement);
  private readonly themes = [...this.menu.querySelectorAll<HTMLInputElement>('input[name=theme]')];

  constructor(private readonly actions: MenuActions) {
    this.menu.addEventListener('toggle', (event) => this.toggled((event as ToggleEvent).newState === 'open'));
    this.menu.addEventListener('keydown', (event) => this.arrow(event));
    element('new-session', HTMLButtonElement).addEventListener('click', () => location.assign(actions.address(null)));
    element('logout', HTMLButtonElement).addEventListener('click', () => {
      this.menu.hidePopover();
      actions.logout().catch((error: unknown) => actions.failed(error));
    });
    this.listenView();
    this.listenDialogs();
  }

  toggle(): void {
    this.menu.togglePopover();
  }

  private toggled(open: boolean): void {
    this.button.setAttribute('aria-expanded', String(open));
    if (!open) {
      this.actions.closed();
      return;
    }
    const current = this.actions.current();
    element('rename', HTMLButtonElement).disabled = element('end', HTMLButtonElement).disabled = current === null;
    this.showSettings();
    element('new-session', HTMLButtonElement).focus();
    void this.showSessions();
  }

  private async showSessions(): Promise<void> {
    let sessions: readonly SessionSummary[];
    try {
      sessions = await this.actions.sessions();
    } catch (error) {
      this.list.replaceChildren(note(error instanceof Error ? error.message : 'The sessions could not be listed'));
      return;
    }
    const current = this.actions.current()?.id;
    const running = sessions.filter((session) => session.state !== 'ended');
    this.list.replaceChildren(...running.map((session) => this.entry(session, session.id === current)));
    if (running.length === 0) this.list.replaceChildren(note('None is running'));
  }

  private entry(session: SessionSummary, isCurrent: boolean): HTMLLIElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'item';
    button.append(span('title', session.name || session.id), span('detail', detailText(session, isCurrent)));
    if (isCurrent) {
      button.setAttribute('aria-current', 'true');
      button.addEventListener('click', () => this.menu.hidePopover());
    } else {
      button.addEventListener('click', () => location.assign(this.actions.address(session.id)));
    }
    const item = document.createElement('li');
    item.append(button);
    return item;
  }

  private arrow(event: KeyboardEvent): void {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    // In the group of themes the browser handles the arrow keys.
    if (step === 0 || (event.target instanceof HTMLInputElement && event.target.type === 'radio')) return;
    const controls = [...this.menu.querySelectorAll<HTMLElement>('button:enabled, input:checked, input[type=checkbox]')];
    const at = controls.findIndex((control) => control === document.activeElement);
    controls[(at + step + controls.length) % controls.length]?.focus();
    event.preventDefault();
  }

  // --- view

  private listenView(): void {
    const step = (by: number) => (): void => {
      const settings = this.actions.settings();
      this.change({ ...settings, fontSize: fittingFontSize(settings.fontSize + by) });
    };
    element('font-smaller', HTMLButtonElement).addEventListener('click', step(-1));
    element('font-larger', HTMLButtonElement).addEventListener('click', step(1));
    for (const theme of this.themes) {
      theme.addEventListener('change', () => this.change({ ...this.actions.settings(), theme: theme.value as Settings['theme'] }));
    }
    this.reader.addEventListener('change', () => this.change({ ...this.actions.settings(), screenReader: this.reader.checked }));
  }

  private change(settings: Settings): void {
    this.actions.changed(settings);
    this.showSettings();
  }

  private showSettings(): void {
    const { theme, fontSize, screenReader } = this.actions.settings();
    this.fontSize.textContent = String(fontSize);
    this.reader.checked = screenReader;
    for (const choice of this.themes) choice.checked = choice.value === theme;
  }

  // --- this session

  private listenDialogs(): void {
    const name = element('rename-name', HTMLInputElement);
    this.listenDialog('rename', () => this.actions.rename(name.value.trim()), () => {
      name.value = this.actions.current()?.name ?? '';
      name.select();
    });
    this.listenDialog('end', () => this.actions.end(), () => undefined);
  }

  private listenDialog(what: 'rename' | 'end', act: () => Promise<void>, opened: () => void): void {
    const dialog = element(`${what}-dialog`, HTMLDialogElement);
    element(what, HTMLButtonElement).addEventListener('click', () => {
      this.menu.hidePopover();
      dialog.showModal();
      opened();
    });
    dialog.querySelector('[data-cancel]')?.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => this.actions.closed());
    element(`${what}-form`, HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      dialog.close();
      act().catch((error: unknown) => this.actions.failed(error));
    });
  }
}

/** Who looks at a session, or what it does without, and when it ends by itself. */
export function detailText(session: SessionSummary, isCurrent: boolean): string {
  if (session.viewers > 0) {
    const viewers = session.viewers === 1 ? '1 viewer' : `${session.viewers} viewers`;
    const kept = isCurrent && session.idle_timeout > 0;
    return kept ? `${viewers}, kept for ${durationText(session.idle_timeout)} after you leave` : viewers;
  }
  if (session.busy) return 'busy';
  const idle = idleText(session.idle_seconds);
  return session.ends_in === null ? idle : `${idle}, ends in ${durationText(session.ends_in)}`;
}

function span(className: string, text: string): HTMLSpanElement {
  const made = document.createElement('span');
  made.className = className;
  made.textContent = text;
  return made;
}

function note(text: string): HTMLLIElement {
  const item = document.createElement('li');
  item.className = 'item';
  item.append(span('detail', text));
  return item;
}
