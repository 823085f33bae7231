/**
 * The messages of both sides as JSON: types, checks of what a server sends, defaults of what a client sends.
 *
 * Generated from `src/web_terminal_suite/protocol/messages.py`; do not edit. Write it again with:
 *
 *     python -m tests.protocol.typescript > frontend/src/messages.ts
 */

import type { Defaults, Fields } from './fields';
import { flag, integer, nested, number, object, oneOf, optional, text, texts } from './fields';

export type Mode = 'write' | 'read';

export type Encoding = 'utf-8' | 'base64';

/** Limits on a shell and its children, set with `setrlimit(2)` before it runs. `null` leaves one alone. */
export interface ResourceLimits {
  readonly cpu_seconds?: number | null;
  readonly memory_bytes?: number | null;
  readonly open_files?: number | null;
  readonly processes?: number | null;
  readonly file_bytes?: number | null;
}

/**
 * What a new session should be; what is left out comes from the server's settings.
 *
 * A client that did not get the answer may ask again with the same `key`, and gets the session it made before.
 */
export interface SessionSpec {
  readonly name?: string | null;
  readonly shell?: string | null;
  readonly args?: readonly string[];
  readonly cwd?: string | null;
  readonly env?: Readonly<Record<string, string>>;
  readonly cols?: number;
  readonly rows?: number;
  readonly limits?: ResourceLimits | null;
  readonly key?: string | null;
}

/** What a server accepts, announced in `connection_status`. Bytes and character cells. */
export interface Limits {
  readonly message_bytes: number;
  readonly cols: number;
  readonly rows: number;
}

/**
 * Sent after the handshake, and again when the server begins to drain.
 *
 * A server that is `draining` takes no new sessions and ends with the last one, or in `ends_in` seconds.
 */
export interface ConnectionStatus {
  readonly type: 'connection_status';
  readonly status: 'authentication_required' | 'ready';
  readonly subprotocol: string;
  readonly version: string;
  readonly limits: Limits;
  readonly draining: boolean;
  readonly ends_in: number | null;
}

export interface Authenticated {
  readonly type: 'authenticated';
  readonly user: string;
  readonly role: string;
}

/**
 * `offset` is the first byte this viewer will get (after a `gap`, the gap's end), `end` what is logged now.
 *
 * Output before `end` is a replay: a page must not answer terminal queries in it. `input` is the offset from which the
 * client numbers and sends its input; `null` where input is not acknowledged.
 */
export interface Attached {
  readonly type: 'attached';
  readonly session: string;
  readonly name: string;
  readonly offset: number;
  readonly end: number;
  readonly cols: number;
  readonly rows: number;
  readonly mode: Mode;
  readonly window: number;
  readonly input: number | null;
}

/** Terminal bytes from `offset` on, in the JSON subprotocol; `base64` where they are not UTF-8. */
export interface Output {
  readonly type: 'output';
  readonly offset: number;
  readonly data: string;
  readonly encoding: Encoding;
}

/** Bytes that fell out of the log before this viewer got them. */
export interface Gap {
  readonly type: 'gap';
  readonly from: number;
  readonly to: number;
}

/** The program's terminal took everything before `offset` of this client's input, or Ctrl-C dropped it. */
export interface InputAck {
  readonly type: 'input_ack';
  readonly offset: number;
}

export interface ProcessStarted {
  readonly type: 'process_started';
  readonly session: string;
  readonly pid: number;
  readonly command: readonly string[];
}

/** Sent after the last byte of output. `status` or `signal` is set, never both. */
export interface ProcessExited {
  readonly type: 'process_exited';
  readonly session: string;
  readonly offset: number;
  readonly status: number | null;
  readonly signal: string | null;
}

export interface Pong {
  readonly type: 'pong';
  readonly id: number;
}

/** `fatal` means that a close frame follows. */
export interface Error {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
  readonly fatal: boolean;
}

/** `output` paused: the program waits until you acknowledge. `input` paused: the program does not read. */
export interface FlowControl {
  readonly type: 'flow_control';
  readonly direction: 'input' | 'output';
  readonly state: 'paused' | 'resumed';
}

/** The shell and its descendants: CPU used so far, resident memory now, how many processes. */
export interface ResourceUsage {
  readonly type: 'resource_usage';
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

/** Another viewer changed the terminal's size. */
export interface Resized {
  readonly type: 'resized';
  readonly cols: number;
  readonly rows: number;
}

export interface Authenticate {
  readonly type: 'authenticate';
  readonly token: string;
}

/**
 * Join `session`, or make a new one after `spec` where it is `null`.
 *
 * `resume_from` is the offset the client has everything before; `null` asks for all the log still holds. `window` is
 * the bytes that may be on the way unacknowledged; `usage_interval` in seconds asks for `resource_usage` messages.
 * `input_key` asks for acknowledged input: 16 random hexadecimal digits, which stand for this client on all its
 * connections.
 */
export interface Attach {
  readonly type: 'attach';
  readonly session?: string | null;
  readonly spec?: SessionSpec | null;
  readonly cols?: number;
  readonly rows?: number;
  readonly resume_from?: number | null;
  readonly mode?: Mode;
  readonly window?: number | null;
  readonly usage_interval?: number | null;
  readonly input_key?: string | null;
}

/** `offset` numbers the input of a client with an `input_key`: the bytes of it before `data`. */
export interface Input {
  readonly type: 'input';
  readonly data: string;
  readonly encoding?: Encoding;
  readonly offset?: number | null;
}

/** A line typed for the user: the server adds the newline. */
export interface Command {
  readonly type: 'command';
  readonly line: string;
}

export interface Resize {
  readonly type: 'resize';
  readonly cols: number;
  readonly rows: number;
}

/** `name` as in `kill -l` with its prefix, such as `SIGINT`; goes to the foreground process group. */
export interface Signal {
  readonly type: 'signal';
  readonly name: string;
}

/** Everything before `offset` has been drawn. */
export interface Ack {
  readonly type: 'ack';
  readonly offset: number;
}

export interface Ping {
  readonly type: 'ping';
  readonly id?: number;
}

/** Sent back as it came, without touching a session; both directions. */
export interface Echo {
  readonly type: 'echo';
  readonly data: string;
}

/** End this connection, and with `destroy` its session too. */
export interface Close {
  readonly type: 'close';
  readonly destroy?: boolean;
}

export type ClientMessage =
  | Authenticate
  | Attach
  | Input
  | Command
  | Resize
  | Signal
  | Ack
  | Ping
  | Echo
  | Close;

export type ServerMessage =
  | ConnectionStatus
  | Authenticated
  | Attached
  | Output
  | Gap
  | InputAck
  | ProcessStarted
  | ProcessExited
  | Pong
  | Echo
  | Error
  | FlowControl
  | ResourceUsage
  | Resized;

export const SERVER_MESSAGES: Readonly<Record<ServerMessage['type'], Fields>> = {
  connection_status: {
    status: oneOf('authentication_required', 'ready'),
    subprotocol: text,
    version: text,
    limits: object({
      message_bytes: optional(integer, 1048576),
      cols: optional(integer, 500),
      rows: optional(integer, 200),
    }),
    draining: optional(flag, false),
    ends_in: optional(number, null),
  },
  authenticated: {
    user: text,
    role: text,
  },
  attached: {
    session: text,
    name: text,
    offset: integer,
    end: integer,
    cols: integer,
    rows: integer,
    mode: oneOf('write', 'read'),
    window: integer,
    input: optional(integer, null),
  },
  output: {
    offset: integer,
    data: text,
    encoding: optional(oneOf('utf-8', 'base64'), 'utf-8'),
  },
  gap: {
    from: integer,
    to: integer,
  },
  input_ack: {
    offset: integer,
  },
  process_started: {
    session: text,
    pid: integer,
    command: texts,
  },
  process_exited: {
    session: text,
    offset: integer,
    status: optional(integer, null),
    signal: optional(text, null),
  },
  pong: {
    id: optional(integer, 0),
  },
  echo: {
    data: text,
  },
  error: {
    code: text,
    message: text,
    fatal: optional(flag, false),
  },
  flow_control: {
    direction: oneOf('input', 'output'),
    state: oneOf('paused', 'resumed'),
  },
  resource_usage: {
    cpu_seconds: number,
    memory_bytes: integer,
    processes: integer,
  },
  resized: {
    cols: integer,
    rows: integer,
  },
};

export const CLIENT_DEFAULTS: Readonly<Record<ClientMessage['type'], Defaults>> = {
  authenticate: {},
  attach: {
    session: null,
    spec: nested({
      name: null,
      shell: null,
      args: [],
      cwd: null,
      env: {},
      cols: 80,
      rows: 24,
      limits: nested({
        cpu_seconds: null,
        memory_bytes: null,
        open_files: null,
        processes: null,
        file_bytes: null,
      }),
      key: null,
    }),
    cols: 80,
    rows: 24,
    resume_from: null,
    mode: 'write',
    window: null,
    usage_interval: null,
    input_key: null,
  },
  input: {
    encoding: 'utf-8',
    offset: null,
  },
  command: {},
  resize: {},
  signal: {},
  ack: {},
  ping: {
    id: 0,
  },
  echo: {},
  close: {
    destroy: false,
  },
};
