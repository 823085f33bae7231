// JupyterLab's own client against the server at TERMINALS_URL: what its terminals do, in order. Fails by its status.

import assert from "node:assert/strict";
import { PageConfig } from "@jupyterlab/coreutils";
import { ServerConnection, TerminalAPI, TerminalManager } from "@jupyterlab/services";
import WebSocket from "ws";

const GUARD_MS = 30_000;

PageConfig.setOption("terminalsAvailable", "true");
const baseUrl = process.env.TERMINALS_URL;
const serverSettings = ServerConnection.makeSettings({
  baseUrl,
  wsUrl: baseUrl.replace(/^http/, "ws"),
  token: process.env.TERMINALS_TOKEN,
  appendToken: true,
  WebSocket,
});

/** A promise of an event, refused after the guard. */
function within(what, start) {
  return new Promise((resolve, reject) => {
    const guard = setTimeout(() => reject(new Error(`no ${what} within ${GUARD_MS} ms`)), GUARD_MS);
    start((value) => {
      clearTimeout(guard);
      resolve(value);
    });
  });
}

/** A connection with all it was sent, and a wait for text in it. */
function watched(session) {
  let seen = "";
  const waiting = new Set();
  session.messageReceived.connect((_session, message) => {
    assert.ok(["stdout", "disconnect"].includes(message.type), message.type);
    if (message.type === "stdout") {
      seen += message.content[0];
      for (const look of waiting) look();
    }
  });
  const until = (text) =>
    within(`${JSON.stringify(text)} in ${JSON.stringify(seen)}`, (done) => {
      const look = () => {
        if (seen.includes(text)) {
          waiting.delete(look);
          done();
        }
      };
      waiting.add(look);
      look();
    });
  const type = (text) => session.send({ type: "stdin", content: [text] });
  const resize = (rows, cols) => session.send({ type: "set_size", content: [rows, cols, rows * 16, cols * 8] });
  const ended = within("end", (done) => session.disposed.connect(() => done()));
  return { session, until, type, resize, ended };
}

const manager = new TerminalManager({ serverSettings });
await manager.ready;
assert.deepEqual([...manager.running()], []);

// A terminal, and what JupyterLab sends it before it is drawn.
const first = watched(await manager.startNew({ name: "first", cwd: "/usr" }));
first.session.send({ type: "set_size", content: [null, null, null, null] });
first.resize(31, 101);
first.type("stty size; pwd; echo $((6 * 7))-h\u00e9\r");
await first.until("31 101\r\n/usr\r\n42-h\u00e9\r\n");
await manager.refreshRunning();
assert.deepEqual([...manager.running()].map((each) => each.name), [first.session.name]);

// Another window of the same terminal gets all that was printed, and both get what comes.
const second = watched(manager.connectTo({ model: first.session.model }));
await second.until("42-h\u00e9\r\n");
second.type("echo $((2 * 50))-both\r");
await Promise.all([first.until("100-both"), second.until("100-both")]);

// The network fails: it reconnects, and the terminal is as it was.
await first.session.reconnect();
first.type("echo $((3 * 50))-again\r");
await Promise.all([first.until("150-again"), second.until("150-again")]);

// The shell ends, and with it both windows.
first.type("exit 3\r");
await Promise.all([first.ended, second.ended]);
await manager.refreshRunning();
assert.deepEqual([...manager.running()], []);

// Shut down from the list of running terminals; once more does no harm.
const third = await manager.startNew();
await manager.shutdown(third.name);
await TerminalAPI.shutdownTerminal(third.name, serverSettings);
assert.deepEqual(await TerminalAPI.listRunning(serverSettings), []);

// Without the token nothing is told.
const stranger = ServerConnection.makeSettings({ ...serverSettings, token: "wrong-token-0123456789" });
await assert.rejects(TerminalAPI.listRunning(stranger), (error) => error.response.status === 401);

manager.dispose();
console.log("all of it");
process.exit(0);
