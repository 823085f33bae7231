/**
 * Connects all modules: terminal, connection, status bar, menu and login.
 *
 * Tests and automation may rely on `window.webTerminal` (below) and on the `data-` attributes of the root element:
 * `state` (connecting, connected, reconnecting, ended, closed, login), `session`, `rtt` (milliseconds) and `offset`
 * (bytes received, absolute).
 */

import '@xterm/xterm/css/xterm.css';

import { sessionIn, socketUrl, withSession } from './address';
import { Api } from './api';
import { ClipboardWriter } from './clipboard';
import { Connection } from './connection';
import type { Condition } from './connection';
import { element } from './elements';
import { Login, takeToken } from './login';
import { Menu } from './menu';
import { Screen } from './screen';
import { loadSettings, saveSettings } from './settings';
import { Status } from './status';
import { BINARY_SUBPROTOCOL } from './wire';
import type { Attached } from './messages';
import type { ServerMessage } from './wire';

/** Close code of an expired session or login. */
const EXPIRED = 4001;

const token = takeToken();
const base = document.baseURI;
const container = element('screen', HTMLDivElement);
const api = new Api(base);
let settings = loadSettings();
let sessionName = '';
let programTitle = '';

const status = new Status({
  reconnectNow: () => connection.reconnectNow(),
  newSession: () => location.assign(withSession(location.href, null)),
  sendUndelivered: () => connection.sendUndelivered(),
  dropUndelivered: () => connection.dropUndelivered(),
  fitHere: () => {
    screen.fit();
    screen.focus();
  },
});

const clipboard = new ClipboardWriter((text) => status.showHint(text));

const screen = new Screen(container, settings, {
  typed: (data, origin) => {
    // The size follows the window that is used.
    if (origin === 'user' && screen.foreign && connection.mode === 'write') screen.fit();
    connection.type(data, origin);
  },
  typedBinary: (data, origin) => connection.typeBinary(data, origin),
  resized: () => {
    connection.resize();
    showSize();
  },
  titleChanged: (title) => {
    programTitle = title;
    showTitle();
  },
  menuRequested: () => menu.toggle(),
  copied: (text) => {
    // What was copied before this page saw it is not wanted now, and a watcher's clipboard is no business of others.
    if (!connection.stream.replaying && connection.mode === 'write') void clipboard.write(text);
  },
  died: () => {
    connection.redraw();
    status.showHint('Drawing failed at some output, which is drawn again');
  },
});

const connection = new Connection(
  { session: sessionIn(location.href), key: randomKey(16), mode: 'write', inputKey: randomKey(8) },
  screen,
  { conditionChanged, attached, messageReceived, statsChanged, hint: (text) => status.showHint(text), undelivered: (what) => status.showUndelivered(what), refused },
  {
    dial: () => new WebSocket(socketUrl(base), BINARY_SUBPROTOCOL),
    nowMs: () => performance.now(),
    random: () => Math.random(),
  },
);

const login = new Login(
  api,
  () => connection.start(),
  (reason) => connection.askForLogin(reason),
);

const menu = new Menu({
  sessions: () => api.sessions(),
  current: () => (connection.session === null ? null : { id: connection.session, name: sessionName }),
  address: (session) => withSession(location.href, session),
  rename: async (name) => {
    if (connection.session === null) return;
    await api.rename(connection.session, name);
    showSession(connection.session, name);
  },
  end: async () => {
    if (connection.session !== null) await api.end(connection.session);
  },
  logout: async () => {
    await api.logout();
    connection.askForLogin('');
  },
  settings: () => settings,
  changed: (changed) => {
    settings = changed;
    saveSettings(settings);
    screen.apply(settings);
  },
  closed: () => screen.focus(),
  failed: (error) => status.showHint(error instanceof Error ? error.message : String(error)),
});

function conditionChanged(condition: Condition): void {
  status.show(condition);
  if (condition.state === 'login') login.show(condition.reason);
  else if (condition.state === 'closed' && condition.code === EXPIRED) refused();
}

function attached(message: Attached): void {
  history.replaceState(history.state, '', withSession(location.href, message.session));
  showSession(message.session, message.name);
  screen.limits = connection.limits;
  if (message.mode === 'read') screen.adopt(message, true);
  else if (!screen.foreign) screen.fit();
  showSize();
  screen.focus();
}

function messageReceived(message: ServerMessage): void {
  if (message.type === 'resized') screen.adopt(message, connection.mode === 'read');
  else if (message.type === 'connection_status') status.showDrain(message, performance.now());
  else if (message.type === 'resource_usage') status.showUsage(message, performance.now());
}

function statsChanged(): void {
  status.showOffset(connection.stream.received ?? 0);
  if (connection.condition.state === 'connected') status.showRoundTrip(connection.heartbeat.rttMs);
}

/** An expired login looks like a refused connection or like an expired session. */
function refused(): void {
  api.isLoggedIn().then(
    (known) => {
      if (!known) connection.askForLogin('');
    },
    () => undefined, // No answer: the server is down, and the connection is retried anyway.
  );
}

function showSize(): void {
  status.showSize(screen.size, screen.foreign, connection.mode === 'read');
}

function showSession(session: string, name: string): void {
  sessionName = name;
  status.showSession(session, name);
  showTitle();
}

function showTitle(): void {
  document.title = `${programTitle || sessionName || 'Terminal'} - web-terminal`;
}

/** Stands for this page on all its connections. */
function randomKey(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

addEventListener('online', () => connection.reconnectNow());
addEventListener('offline', () => connection.drop());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') connection.reconnectNow();
});
// A link with a token that is opened in this tab changes only the fragment.
addEventListener('hashchange', () => {
  const newToken = takeToken();
  if (newToken !== null) void login.logIn(newToken);
});

declare global {
  interface Window {
    /** For tests and automation only; not part of the protocol in `docs/protocol.md`. */
    webTerminal: {
      /** The buffer as plain text, scrollback included. */
      text(): string;
      /** Breaks the connection as a network failure does, without a close frame. */
      drop(): void;
      stats(): Readonly<Record<string, string | number | boolean | null>>;
    };
  }
}

window.webTerminal = {
  text: () => screen.text(),
  drop: () => connection.drop(),
  stats: () => ({
    state: connection.condition.state,
    session: connection.session,
    mode: connection.mode,
    offset: connection.stream.received,
    drawn: connection.stream.drawn,
    acked: connection.stream.acked,
    replaying: connection.stream.replaying,
    duplicateBytes: connection.stream.duplicateBytes,
    gapBytes: connection.stream.gapBytes,
    heldBytes: connection.outbox.heldBytes,
    undeliveredBytes: connection.outbox.undeliveredBytes,
    rttMs: connection.heartbeat.rttMs,
    renderer: screen.renderer,
    ...screen.size,
    ...connection.counts,
  }),
};

if (token === null) connection.start();
else void login.logIn(token);
