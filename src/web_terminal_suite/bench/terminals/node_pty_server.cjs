// A terminal server as people write it by hand: node-pty behind ws. Usage: node node_pty_server.cjs PORT SHELL
// A shell for each connection. Text frames are what was typed and printed; a binary frame of JSON is the size.
'use strict';

const { spawn } = require('node-pty');
const { WebSocketServer } = require('ws');

const [port, shell] = process.argv.slice(2);
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), perMessageDeflate: false });

server.on('connection', (socket) => {
  const terminal = spawn(shell, [], { name: 'xterm-256color', cols: 80, rows: 24, env: process.env });
  terminal.onData((data) => socket.readyState === socket.OPEN && socket.send(data));
  terminal.onExit(() => socket.close());
  socket.on('message', (data, isBinary) => {
    if (isBinary) {
      const { cols, rows } = JSON.parse(data.toString());
      terminal.resize(cols, rows);
    } else {
      terminal.write(data.toString());
    }
  });
  socket.on('close', () => terminal.kill());
  socket.on('error', () => terminal.kill());
});

process.on('SIGTERM', () => process.exit(0));
