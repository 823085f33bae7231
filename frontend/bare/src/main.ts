/**
 * xterm.js and a WebSocket, and nothing else: the floor that pages of terminals are compared with.
 *
 * Output and input are binary frames as they are. A new size is a text frame, `COLSxROWS`. The number after `#` in the
 * address is the port of the socket. Font, line height and scrollback are those of `src/screen.ts`.
 */

import '@xterm/xterm/css/xterm.css';

import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';

const terminal = new Terminal({ fontFamily: "'DejaVu Sans Mono', 'Liberation Mono', monospace", fontSize: 14, lineHeight: 1.15, scrollback: 10_000 });
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.querySelector<HTMLDivElement>('#screen')!);
fit.fit();

const socket = new WebSocket(`ws://${location.hostname}:${location.hash.slice(1)}/`);
socket.binaryType = 'arraybuffer';
const encoder = new TextEncoder();
socket.onopen = () => socket.send(`${terminal.cols}x${terminal.rows}`);
socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => terminal.write(new Uint8Array(data));
terminal.onData((data) => socket.send(encoder.encode(data)));
terminal.onResize(({ cols, rows }) => socket.send(`${cols}x${rows}`));
addEventListener('resize', () => fit.fit());

declare global {
  interface Window {
    terminal: Terminal;
  }
}

window.terminal = terminal;
