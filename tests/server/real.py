"""The real ttyd and the real Jupyter server, where they are installed, and conversations in their compat_server.

``python -m tests.server.real`` holds them with the real ones and writes ``tests/vectors/ttyd.json`` and
``tests/vectors/terminado.json``: every frame of both sides in order, as text or, where it is none, in hex.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.conftest import TOKEN
from tests.server.raw import BINARY, CLOSE, TEXT, http, websocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.server.raw import Socket

VECTORS = pathlib.Path(__file__).parents[1] / "vectors"
TTYD = shutil.which("ttyd")
JUPYTER_LAB = shutil.which("jupyter-lab")
HAS_JUPYTER = importlib.util.find_spec("jupyter_server_terminals") is not None
_START_SECONDS = 60


class Place(NamedTuple):
    """Where a server answers on loopback, ours or the real one, and what its handshakes must carry."""

    port: int
    path: str = ""
    headers: dict[str, str] = {}  # never written to


# --- starting the real ones


@contextlib.contextmanager
def _started(command: list[str], port: int) -> Iterator[None]:
    """``command`` from the moment it answers on ``port``, in a home of its own."""
    with tempfile.TemporaryDirectory() as home, open(f"{home}/log", "w+") as log:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
        environment |= {"PS1": "$ ", "SHELL": "/bin/sh", "HOME": home, "ENV": ""}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=home)
        deadline = time.monotonic() + _START_SECONDS
        try:
            # Neither says when it is ready in a way of its own, so it is asked until it answers.
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise AssertionError(f"{command[0]} did not start: {log.read()}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def real_ttyd() -> Iterator[Place]:
    """The real ttyd with ``/bin/sh``."""
    assert TTYD is not None
    port = _free_port()
    with _started([TTYD, "--interface", "127.0.0.1", "--port", str(port), "--writable", "/bin/sh"], port):
        yield Place(port)


@contextlib.contextmanager
def real_jupyter(*program: str) -> Iterator[Place]:
    """The real Jupyter server with terminado, and ``/bin/sh`` in its terminals; or another ``program`` of its kind."""
    port = _free_port()
    command = [
        *(program or (sys.executable, "-m", "jupyter_server")), "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}", "--ServerApp.terminado_settings={'shell_command': ['/bin/sh']}",
    ]  # fmt: skip
    with _started(command, port):
        yield Place(port, headers={"Authorization": f"token {TOKEN}"})


# --- the two protocols


class CompatProtocol(NamedTuple):
    """What a conversation needs to know of a protocol."""

    name: str
    opcode: int
    output: Callable[[bytes], bytes]
    """The terminal bytes in a server's frame."""
    open: Callable[[Place], contextlib.AbstractAsyncContextManager[Socket]]


@contextlib.asynccontextmanager
async def ttyd_socket(place: Place) -> AsyncIterator[Socket]:
    """A WebSocket as ttyd's page opens it."""
    async with websocket(place, path=f"{place.path}/ws", token=None, headers=place.headers, subprotocol="tty") as each:
        assert each.answer.status == 101, each.answer
        assert each.answer.header("sec-websocket-protocol") == "tty"
        yield each


@contextlib.asynccontextmanager
async def terminal_socket(place: Place, name: str | None = None) -> AsyncIterator[Socket]:
    """A WebSocket as JupyterLab opens it, to a new terminal where none is named."""
    path = f"{place.path}/terminals/websocket/{name or await new_terminal(place)}"
    async with websocket(place, path=path, token=None, headers=place.headers, subprotocol="") as each:
        assert each.answer.status == 101, each.answer
        assert each.answer.header("sec-websocket-protocol") is None
        yield each


async def new_terminal(place: Place) -> str:
    """The name of a new terminal, as JupyterLab asks for it."""
    answer = await http(place, "POST", f"{place.path}/api/terminals", body=b"{}", headers=place.headers)
    assert answer.status == 200, answer
    return answer.json()["name"]


def _ttyd_output(payload: bytes) -> bytes:
    return payload[1:] if payload[:1] == b"0" else b""


def _terminado_output(payload: bytes) -> bytes:
    kind, *rest = json.loads(payload)
    return rest[0].encode() if kind == "stdout" else b""


TTYD_PROTOCOL = CompatProtocol("ttyd", BINARY, _ttyd_output, ttyd_socket)
TERMINADO_PROTOCOL = CompatProtocol("terminado", TEXT, _terminado_output, terminal_socket)


# --- frames, as the vectors have them


def vectors(protocol: CompatProtocol) -> dict[str, Any]:
    """What was captured of the real one."""
    return json.loads((VECTORS / f"{protocol.name}.json").read_text())


def payload_of(frame: dict[str, str]) -> bytes:
    """The payload of a frame of the vectors."""
    return bytes.fromhex(frame["hex"]) if "hex" in frame else frame["text"].encode()


def _shown(side: str, payload: bytes) -> dict[str, str]:
    try:
        return {"from": side, "text": payload.decode()}
    except UnicodeDecodeError:
        return {"from": side, "hex": payload.hex()}


# --- conversations


async def replay(socket: Socket, protocol: CompatProtocol, frames: list[dict[str, str]]) -> tuple[list[bytes], str]:
    """Say what the client said, each frame once as much output came as then; what was heard, and how it ended."""
    heard: list[bytes] = []
    due = seen = 0
    for frame in frames:
        if frame["from"] == "server":
            due += len(protocol.output(payload_of(frame)))
            continue
        while seen < due:
            heard.append(await _next(socket, protocol))
            seen += len(protocol.output(heard[-1]))
        socket.send(protocol.opcode, payload_of(frame))
    return heard, await _rest(socket, protocol, heard)


async def _next(socket: Socket, protocol: CompatProtocol) -> bytes:
    opcode, payload = await socket.frame()
    assert opcode == protocol.opcode, (opcode, payload)
    return payload


async def _rest(socket: Socket, protocol: CompatProtocol, heard: list[bytes]) -> str:
    """Hear everything until the other side ends; how it did."""
    try:
        while True:
            opcode, payload = await socket.frame()
            if opcode == CLOSE:
                return f"close {int.from_bytes(payload[:2], 'big')}" if payload else "close"
            assert opcode == protocol.opcode, (opcode, payload)
            heard.append(payload)
    except (asyncio.IncompleteReadError, ConnectionError):
        return "dropped"


async def _record(place: Place, protocol: CompatProtocol, steps: list[tuple[str, str]]) -> dict[str, Any]:
    """Say the first of each step and hear until output ends in the second."""
    frames: list[dict[str, str]] = []
    async with protocol.open(place) as socket:
        for said, until in steps:
            socket.send(protocol.opcode, said.encode())
            frames.append(_shown("client", said.encode()))
            seen = b""
            while not seen.endswith(until.encode("latin-1")):
                payload = await _next(socket, protocol)
                frames.append(_shown("server", payload))
                seen += protocol.output(payload)
        heard: list[bytes] = []
        end = await _rest(socket, protocol, heard)
        return {"frames": [*frames, *(_shown("server", payload) for payload in heard)], "end": end}


_TTYD_STEPS = {
    "a shell that ends well": [
        ('{"AuthToken":"","columns":80,"rows":24}', "$ "),
        ("0echo h\u00e9llo\r", "llo\r\n$ "),
        ('1{"columns":100,"rows":30}', ""),
        ("0stty size\r", "30 100\r\n$ "),
        ("2", ""),
        ("3", ""),
        ("0printf '\\377\\303\\251\\376-'\r", "\xff\xc3\xa9\xfe-$ "),
        ("0exit 0\r", ""),
    ],
    "a shell that fails": [('{"AuthToken":"","columns":80,"rows":24}', "$ "), ("0exit 3\r", "")],
}
_TERMINADO_STEPS = {
    "a shell that ends well": [
        ('["set_size",24,80,480,640]', "$ "),
        ('["stdin","echo h\u00e9llo\\r"]', "llo\r\n$ "),
        ('["set_size",30,100,600,800]', ""),
        ('["stdin","stty size\\r"]', "30 100\r\n$ "),
        ('["set_size",null,null,null,null]', ""),
        ('["stdin","printf \'\\\\377\\\\303\\\\251\\\\376-\'\\r"]', "-$ "),
        ('["stdin","exit 0\\r"]', ""),
    ],
    "a shell that fails": [('["set_size",24,80,480,640]', "$ "), ('["stdin","exit 3\\r"]', "")],
}


async def _capture(
    place: Place, protocol: CompatProtocol, steps: dict[str, list[tuple[str, str]]], source: str
) -> None:
    found = {title: await _record(place, protocol, each) for title, each in steps.items()}
    lines = ["{", f' "source": {json.dumps(source)},', ' "conversations": {']
    for title, each in found.items():
        frames = ",\n".join(f"    {json.dumps(frame, ensure_ascii=False)}" for frame in each["frames"])
        comma = "" if title == list(found)[-1] else ","
        lines += [f'  "{title}": {{', f'   "end": "{each["end"]}",', '   "frames": [', frames, "   ]", f"  }}{comma}"]
    (VECTORS / f"{protocol.name}.json").write_text("\n".join([*lines, " }", "}", ""]))


def main() -> None:
    """Hold every conversation with the real ones and write the vectors."""
    said = subprocess.run(["ttyd", "--version"], capture_output=True, text=True, check=True).stdout
    with real_ttyd() as place:
        asyncio.run(_capture(place, TTYD_PROTOCOL, _TTYD_STEPS, said.strip()))
    names = ("terminado", "jupyter_server_terminals", "jupyter_server")
    with real_jupyter() as place:
        source = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
        asyncio.run(_capture(place, TERMINADO_PROTOCOL, _TERMINADO_STEPS, source))


if __name__ == "__main__":
    main()
