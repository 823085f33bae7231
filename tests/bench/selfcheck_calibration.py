"""How often a client that measures wrongly is stopped: ``python -m tests.bench.selfcheck_calibration [--runs N]``.

Each sabotage is measured N times and must be stopped each time; the honest client must never be, neither at rest nor
next to two busy loops, where its record must carry a warning. Not a test: ten runs take some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.sabotaged import SABOTAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

STOPPED = 4
HONEST = "none"
BUSY_LOOPS = 2


def run(sabotage: str, directory: Path) -> tuple[int, bool, str]:
    """Exit status, whether the record warns of a disturbed calibration, and what was said of it."""
    record = directory / "run.json"
    record.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.bench.sabotaged", sabotage, "bench", "--quick", "execute_echo_simple"),
            *("--noplot", "--no-history", "--discard-baseline", "--home", str(directory), "--json", str(record)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "calibrated" in line or "cannot be trusted" in line]
    marked = False
    if record.exists():
        machine = json.loads(record.read_text())["machine"]
        marked = any(each["kind"] == "calibration" for each in machine["warnings"])
    return done.returncode, marked, said[-1] if said else done.stderr[-300:]


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Other work on the machine."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def check(sabotage: str, runs: int, loops: int, verbose: bool) -> bool:
    """Make the runs, print one line, and give whether it is as it must be."""
    stopped = marked = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, busy(loops):
        for _ in range(runs):
            status, is_marked, said = run(sabotage, Path(directory))
            stopped += status == STOPPED
            marked += is_marked
            if verbose:
                print(f"    exit {status}{' marked' if is_marked else ''}: {said}", flush=True)
    honest = sabotage == HONEST
    good = stopped == 0 and (not loops or marked == runs) if honest else stopped == runs
    name = ("honest" if honest else sabotage) + (f", {loops} busy loops" if loops else "")
    seconds = (time.monotonic() - began) / runs
    print(
        f"{name:24} stopped {stopped} of {runs}, marked {marked}, {seconds:.0f} s a run{'' if good else '  WRONG'}",
        flush=True,
    )
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--verbose", action="store_true", help="what each run said")
    parser.add_argument("sabotages", nargs="*", metavar="SABOTAGE", help=f"{', '.join((*SABOTAGES, HONEST))}, busy")
    options = parser.parse_args()
    wanted = options.sabotages or [*SABOTAGES, HONEST, "busy"]
    good = [
        check(HONEST if each == "busy" else each, options.runs, BUSY_LOOPS * (each == "busy"), options.verbose)
        for each in wanted
    ]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
