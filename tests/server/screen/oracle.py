"""xterm.js in a process of Node, and the question whether a restored terminal equals one that saw everything."""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from web_terminal_suite.server.screen.screen import Screen

SCRIPT = pathlib.Path(__file__).with_name("oracle.cjs")
FRONTEND = pathlib.Path(__file__).parents[3] / "frontend"
WATCHER = "watcher"


class Resize(NamedTuple):
    cols: int
    rows: int


Event = bytes | Resize


class Oracle:
    """xterm.js at the version of the page, with the page's widths and guards."""

    def __init__(self, node: str) -> None:
        self._process = subprocess.Popen([node, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def ask(self, *operations: dict[str, Any]) -> list[Any]:
        """What each operation gives."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(operations).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def restores(
        self, events: Sequence[Event], cuts: Iterable[int], size: Resize, scrollback: int, *, parks: bool = False
    ) -> list[tuple[int, list[str]]]:
        """For each cut, an offset into the bytes of ``events``, what differs there and at the end.

        A fresh terminal is given the state that our emulator writes at the cut, then the rest. With ``parks`` the
        emulator is made anew from its own state at each cut. Half a wide character, which a smaller size leaves, is not
        restored: after it lines may wrap otherwise, so the end is not compared.
        """
        screen = Screen(*size, scrollback)
        ids = [WATCHER]
        operations: list[dict[str, Any]] = [{"op": "new", "id": WATCHER, **size._asdict(), "scrollback": scrollback}]
        at_cut: list[tuple[int, int]] = []
        for event, ends_at in pieces(events, sorted(set(cuts))):
            if isinstance(event, Resize):
                screen.resize(*event)
                size = event
                operations.append({"op": "resize", "ids": list(ids), **event._asdict()})
                continue
            screen.feed(event)
            operations.append({"op": "feed", "ids": list(ids), "data": encoded(event)})
            if ends_at is None:
                continue
            name, state = f"cut {ends_at}", screen.vt()
            if parks:
                screen = Screen(*size, scrollback)
                screen.feed(state)
            operations += [
                {"op": "new", "id": name, **size._asdict(), "scrollback": scrollback},
                {"op": "feed", "ids": [name], "data": encoded(state)},
                {"op": "compare", "id": WATCHER, "other": name},
                {"op": "halves", "id": WATCHER},
            ]
            at_cut.append((ends_at, len(operations) - 2))
            ids.append(name)
        first_end = len(operations)
        # xterm.js forgets a link with the line on which it was opened, and that is another one after a restore.
        operations += [{"op": "compare", "id": WATCHER, "other": name, "links": False} for name in ids[1:]]
        operations.append({"op": "drop", "ids": ids})
        results = self.ask(*operations)
        broken = [result for result in results if isinstance(result, list) and "xterm.js failed" in str(result[:1])]
        assert not broken, broken
        found = []
        for number, (cut, there) in enumerate(at_cut):
            at_end = [] if results[there + 1] else results[first_end + number]
            found.append((cut, results[there] + [f"at the end: {each}" for each in at_end]))
        return found


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def pieces(events: Sequence[Event], cuts: list[int]) -> Iterable[tuple[Event, int | None]]:
    """The events with their bytes cut, and after each piece the cut at its end, if there is one."""
    offset = 0
    remaining = list(cuts)
    for event in events:
        if isinstance(event, Resize):
            yield event, None
            continue
        start = 0
        while remaining and remaining[0] <= offset + len(event):
            cut = remaining.pop(0)
            yield event[start : cut - offset], cut
            start = cut - offset
        if start < len(event):
            yield event[start:], None
        offset += len(event)
