"""Programs for a session: they ask the terminal, or show what it types; ``python programs.py NAME``."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import sys
import termios
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = pathlib.Path(__file__).parents[1] / "vectors/character_widths.json"


@contextlib.contextmanager
def raw() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


def until(pattern: bytes) -> bytes:
    """What is typed, up to and including the pattern."""
    typed = b""
    while not re.search(pattern, typed, re.DOTALL):
        typed += os.read(0, 65536)
    return typed


def widths() -> None:
    """The cells that the terminal takes for each text of the corpus, by the column of its cursor."""
    differing = {}
    with raw():
        for row in json.loads(CORPUS.read_text()):
            os.write(1, b"\r\x1b[K" + row["text"].encode() + b"\x1b[6n")
            cells = int(until(rb"\x1b\[\d+;\d+R").split(b";")[1][:-1]) - 1
            if cells != row["cells"]:
                differing[row["what"]] = (row["cells"], cells)
    print("\r\nDIFFERING", differing, flush=True)


def halves() -> None:
    """Each character cut at each place; the second part follows a key, so it is in another frame."""
    with raw():
        for character in "—“•…、「。漢é€😀👍":
            encoded = character.encode()
            for cut in range(1, len(encoded)):
                os.write(1, b"\r\nready<" + encoded[:cut])
                until(rb"n")
                os.write(1, encoded[cut:] + b">cut%d-%d" % (ord(character), cut))
    print("\r\nDO" + "NE", flush=True)


def typed(*modes: str) -> None:
    """What is typed up to a Z, after output of ``modes`` (DEC private modes to set)."""
    with raw():
        os.write(1, "".join(f"\x1b[?{mode}h" for mode in modes).encode() + b"READY")
        data = until(rb"Z.*\x1b\[201~" if "2004" in modes else rb"Z")
        os.write(1, "".join(f"\x1b[?{mode}l" for mode in modes).encode())
    print("\r\nTYPED", data.decode().encode("unicode_escape").decode().replace("\\", "%"), "END", flush=True)


def answers(query: str, label: str) -> None:
    """What the terminal answers to a query, then to a status report, which it always answers."""
    with raw():
        os.write(1, query.encode().decode("unicode_escape").encode() + b"\x1b[5n")
        data = until(rb"\x1b\[0n")
    print(f"ANSWERS-{label}", len(data), flush=True)


if __name__ == "__main__":
    {"widths": widths, "halves": halves, "typed": typed, "answers": answers}[sys.argv[1]](*sys.argv[2:])
