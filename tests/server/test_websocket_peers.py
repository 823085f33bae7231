"""Real clients of other projects: ``websockets`` (Python), and ``ws`` (Node) where it is installed."""

from __future__ import annotations

import asyncio
import json
import pathlib
import shutil
import subprocess

import pytest

from tests.conftest import TOKEN

websockets = pytest.importorskip("websockets", reason="websockets is not installed; pip install websockets")
FRONTEND = pathlib.Path(__file__).parents[2] / "frontend"
NODE = shutil.which("node")
GUARD_SECONDS = 30

# What each peer does: log in, ping, fragment a message, send one of 300 kB, type into a shell, close with a code.
WS = """
const WebSocket = require("ws");
const [port, token, subprotocol] = process.argv.slice(1);
const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, [subprotocol], { perMessageDeflate: true });
const seen = { subprotocol: null, extensions: null, pong: null, echoes: [], output: "" };
socket.on("open", () => {
  seen.subprotocol = socket.protocol;
  seen.extensions = socket.extensions;
  socket.send(JSON.stringify({ type: "authenticate", token }));
});
socket.on("pong", (data) => (seen.pong = data.toString()));
socket.on("message", (data, binary) => {
  if (binary) {
    seen.output += data.subarray(9).toString();
  } else {
    const message = JSON.parse(data.toString());
    if (message.type === "authenticated") {
      socket.ping("here");
      socket.send('{"type":"ec', { fin: false });
      socket.send('ho","data":"parts"}', { fin: true });
      socket.send(JSON.stringify({ type: "echo", data: "x".repeat(300000) }));
    } else if (message.type === "echo") {
      seen.echoes.push(message.data.length);
      if (seen.echoes.length === 2) socket.send(JSON.stringify({ type: "attach" }));
    } else if (message.type === "attached") {
      const key = (text) => Buffer.concat([Buffer.from([2]), Buffer.from(text)]);
      socket.send(key("printf '%s%s' he re\\r"));
    }
  }
  if (seen.output.includes("here") && !seen.ended) {
    seen.ended = true;
    socket.send(JSON.stringify({ type: "close", destroy: true }));
  }
});
socket.on("close", (code, reason) => {
  console.log(JSON.stringify({ ...seen, code, reason: reason.toString(), output: undefined }));
});
"""


async def test_websockets_of_python(server):
    from websockets.asyncio.client import connect

    address = f"ws://127.0.0.1:{server.port}/ws"
    async with asyncio.timeout(GUARD_SECONDS), connect(address, subprotocols=["web-terminal.v1"]) as socket:
        assert (socket.subprotocol, socket.protocol.extensions) == ("web-terminal.v1", [])

        async def heard(kind: str) -> dict:
            while True:
                message = await socket.recv()
                if isinstance(message, str) and (found := json.loads(message))["type"] == kind:
                    return found

        await socket.send(json.dumps({"type": "authenticate", "token": TOKEN}))
        await heard("authenticated")
        await (await socket.ping(b"here"))
        await socket.send(['{"type":"ec', "", 'ho","data":"parts"}'])
        assert (await heard("echo"))["data"] == "parts"
        await socket.send(json.dumps({"type": "echo", "data": "x" * 300_000}))
        assert len((await heard("echo"))["data"]) == 300_000
        await socket.send(json.dumps({"type": "attach"}))
        await heard("attached")
        await socket.send(b"\x02printf '%s%s' he re\r")
        output = b""
        while b"here" not in output:
            message = await socket.recv()
            output += message[9:] if isinstance(message, bytes) else b""
        await socket.send(json.dumps({"type": "close", "destroy": True}))
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1000, "session destroyed")


async def test_a_close_of_websockets_is_answered(server):
    from websockets.asyncio.client import connect

    headers = {"Authorization": f"Bearer {TOKEN}"}
    address = f"ws://127.0.0.1:{server.port}/ws"
    async with asyncio.timeout(GUARD_SECONDS):
        socket = await connect(address, subprotocols=["web-terminal.v1"], additional_headers=headers)
        await socket.close(3456, "enough")
        assert socket.protocol.close_rcvd is not None
        assert socket.protocol.close_rcvd.code == 3456


async def test_websockets_is_told_why_a_handshake_is_refused(server):
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    headers = {"Authorization": "Bearer wrong-token-0123456789"}
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{server.port}/ws", subprotocols=["web-terminal.v1"], additional_headers=headers)
    assert refused.value.response.status_code == 403
    assert b"wrong token" in refused.value.response.body


@pytest.mark.skipif(NODE is None, reason="node is not installed; put it on PATH to test ws")
def test_ws_of_node(server):
    found = subprocess.run([NODE, "-e", 'require.resolve("ws")'], cwd=FRONTEND, capture_output=True, check=False)
    if found.returncode != 0:
        pytest.skip("ws is not installed; npm install ws, and name its node_modules in NODE_PATH")
    ran = subprocess.run(
        [NODE, "-e", WS, str(server.port), TOKEN, "web-terminal.v1"],
        cwd=FRONTEND, capture_output=True, text=True, timeout=GUARD_SECONDS, check=True,
    )  # fmt: skip
    assert json.loads(ran.stdout) == {
        "subprotocol": "web-terminal.v1",
        "extensions": "",
        "pong": "here",
        "echoes": [5, 300_000],
        "ended": True,
        "code": 1000,
        "reason": "session destroyed",
    }
