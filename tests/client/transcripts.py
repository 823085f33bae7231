"""What a real terminal said and was told, kept, so that its dialect is tested where it is not installed.

``python -m tests.client.transcripts NAME`` starts that terminal, holds a short conversation with it and writes
``tests/vectors/peers/NAME.json``: every call of the dialect with the frames it gave, every frame heard with what the
dialect made of it. A dialect is right as long as it would do the same again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from web_terminal_suite.bench.terminals.registry import PEERS
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialect import Dialect, HttpRequest
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Frame, OutputBytes

VECTORS = Path(__file__).parents[1] / "vectors" / "peers"


def as_json(value: object) -> Any:
    """Frames, bytes, requests and events as JSON has them."""
    if isinstance(value, Frame):
        return {"text" if value.text else "binary": as_json(value.payload)}
    if isinstance(value, HttpRequest):
        return [value.method, value.path, dict(value.headers), as_json(value.body)]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"hex": value.hex()}
    if isinstance(value, OutputBytes):
        return {"output": as_json(value.data), "offset": value.offset}
    if isinstance(value, m.Attached):
        return {"attached": [value.cols, value.rows]}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    return value


def as_bytes(value: Any) -> bytes:
    """The opposite, of bytes."""
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


class Recording(Dialect):
    """A dialect that does what another does, and notes it."""

    name = "recording"

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.steps: list[dict[str, Any]] = []
        self.spawns_on_connect = dialect.spawns_on_connect  # type: ignore[misc]

    @property
    def owed(self):
        return self._dialect.owed

    @owed.setter
    def owed(self, frames):
        self._dialect.owed = frames

    @property
    def path(self):
        return self._dialect.path

    @property
    def subprotocols(self):
        return self._dialect.subprotocols

    @property
    def ready(self):
        return self._dialect.ready

    def _note(self, call: str, *arguments: object) -> Any:
        given = getattr(self._dialect, call)(*arguments)
        self.steps.append({"call": call, "with": as_json(list(arguments)), "gives": as_json(given)})
        return given

    def before(self, token):
        return self._note("before", token)

    def told(self, body):
        self._note("told", body)

    def after(self, token):
        return self._note("after", token)

    def headers(self, token):
        return self._note("headers", token)

    def opened(self):
        return self._note("opened")

    def attach(self, request):
        given = self._dialect.attach(request)
        self.steps.append({"call": "attach", "with": [request.cols, request.rows], "gives": as_json(given)})
        return given

    def input(self, data):
        return self._note("input", data)

    def resize(self, cols, rows):
        return self._note("resize", cols, rows)

    def close(self, destroy):
        return self._note("close", destroy)

    def read(self, text, payload):
        event = self._dialect.read(text, payload)
        heard = as_json(Frame(text, payload))
        self.steps.append({"heard": heard, "event": as_json(event), "owed": as_json(self._dialect.owed)})
        return event


def replay(dialect: Dialect, steps: list[dict[str, Any]]) -> None:
    """Do all of it again; a difference is an ``AssertionError`` that names the step."""
    for number, step in enumerate(steps):
        dialect.owed = []
        if "heard" in step:
            ((kind, payload),) = step["heard"].items()
            event = dialect.read(kind == "text", as_bytes(payload))
            assert as_json(event) == step["event"], f"step {number}: {step}"
            assert as_json(dialect.owed) == step["owed"], f"step {number}: {step}"
            continue
        arguments = step["with"]
        if step["call"] == "attach":
            arguments = [m.Attach(cols=arguments[0], rows=arguments[1])]
        elif step["call"] in ("input", "told"):
            arguments = [as_bytes(each) for each in arguments]
        given = getattr(dialect, step["call"])(*arguments)
        assert as_json(given) == step["gives"], f"step {number}: {step}"


async def record(name: str) -> dict[str, Any]:
    """A conversation with the real one: its prompt, a command, a resize, a wide character, the end."""
    peer = PEERS[name]()
    if peer.missing():
        raise SystemExit(peer.missing())
    made: list[Recording] = []

    def dialect() -> Dialect:
        made.append(Recording(peer.dialect()))
        return made[-1]

    async with peer.launch() as running, connect(running.addresses[0], dialect=dialect) as connection:
        await connection.attach(cols=100, rows=30)
        await connection.wait_for(b"$ ")
        connection.input(b"stty size; printf '%s%s\\n' com puted\r")
        await connection.wait_for(b"30 100\r\ncomputed\r\n$ ")
        connection.resize(132, 43)
        connection.input("stty size; echo 'h\N{LATIN SMALL LETTER E WITH ACUTE}'\r".encode())
        await connection.wait_for(b"43 132\r\n")
        await connection.wait_for(b"$ ")
        await connection.close(destroy=True)
    return {"terminal": name, "version": peer.version(), "steps": made[-1].steps}


def main() -> None:
    for name in sys.argv[1:]:
        VECTORS.mkdir(parents=True, exist_ok=True)
        path = VECTORS / f"{name}.json"
        path.write_text(json.dumps(asyncio.run(record(name)), indent=1, ensure_ascii=False) + "\n")
        print(f"wrote {path.name}: {len(msgspec.json.decode(path.read_bytes())['steps'])} steps")


if __name__ == "__main__":
    main()
