"""What the emulator costs: ``python -m tests.server.screen.measure_cost`` prints CPU per MB and memory of a state."""

from __future__ import annotations

import pathlib
import tempfile
import time

from tests.server.screen import recordings
from web_terminal_suite.server.screen.screen import Screen

MEGABYTE = 1_000_000
PIECE = 65_536


def samples() -> dict[str, bytes]:
    """Output of each kind, at least a few megabytes of it."""
    text = b"".join(b"%07d %s\r\n" % (number, b"lorem ipsum dolor sit amet " * 2) for number in range(200))
    short = b"".join(b"%d\r\n" % (number % 100_000) for number in range(10_000))
    wide = "".join(f"{number} 日本語のテキスト、世界\r\n" for number in range(500)).encode()
    made = {"text": text, "short lines": short, "wide characters": wide}
    names = {"vim", "tmux", "git diff", "less", "top"}
    listing = recordings.Program("ls --color -R", ("ls", "--color=always", "-lR", "/usr/share/doc"), ())
    chosen = [program for program in recordings.available() if program.name in names]
    with tempfile.TemporaryDirectory() as home:
        for name, events in recordings.record_all([*chosen, listing], pathlib.Path(home)).items():
            made[name] = b"".join(event for event in events if isinstance(event, bytes))
    return {name: data * (4 * MEGABYTE // len(data) + 1) for name, data in made.items()}


def fed(data: bytes, scrollback: int, cols: int = 80, rows: int = 24) -> tuple[Screen, float]:
    """A terminal that was fed, and the milliseconds of CPU per MB; the best of three."""
    best = float("inf")
    for _ in range(3):
        screen = Screen(cols, rows, scrollback)
        began = time.process_time()
        for at in range(0, len(data), PIECE):
            screen.feed(data[at : at + PIECE])
        best = min(best, (time.process_time() - began) * 1000 / (len(data) / MEGABYTE))
    return screen, best


def main() -> None:
    print(f"{'':18} {'ms/MB':>6} {'ms/MB, no scrollback':>21} {'kB':>7} {'kB, none':>9} {'VT kB':>6} {'VT ms':>6}")
    for name, data in samples().items():
        full, cost = fed(data, 1000)
        bare, bare_cost = fed(data, 0)
        began = time.process_time()
        for _ in range(10):
            state = full.vt()
        written = (time.process_time() - began) * 100
        print(
            f"{name:18} {cost:6.2f} {bare_cost:21.2f} {full.memory / 1000:7.0f} {bare.memory / 1000:9.1f}"
            f" {len(state) / 1000:6.1f} {written:6.2f}"
        )
    print(f"a new terminal of 80x24: {Screen(80, 24, 1000).memory} bytes")


if __name__ == "__main__":
    main()
