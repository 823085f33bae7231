"""What a person sees while a run proceeds: one updating line on a terminal, a line a trial elsewhere; on stderr."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from web_terminal_suite.bench.plan import Plan, Slot
    from web_terminal_suite.bench.progress import Progress
    from web_terminal_suite.bench.samples import Cell, Trial

_NS: Final = 1_000_000_000
_CLEAR: Final = "\r\x1b[K"


class ProgressLines:
    """One line a trial."""

    def __init__(self, trials: int, proof: Collection[Cell] = ()) -> None:
        self._trials = trials
        self._proof = proof
        self._done = 0

    def begin(self, slot: Slot) -> None:
        pass

    def end(self, trial: Trial) -> None:
        self._done += 1
        count = len(trial.samples) or len(trial.points)
        problem = f": {trial.problem}" if trial.problem else ""
        if trial.cell in self._proof:
            what = f"checking the suite: {trial.cell}, attempt {trial.block + 1}"
        else:
            what = f"{trial.cell} block {trial.block + 1}"
        operations = "operation" if count == 1 else "operations"
        self.say(f"[{self._done}/{self._trials}] {what}, {count} {operations}{problem}")

    def again(self, trials: int) -> None:
        self._trials += trials

    def say(self, text: str) -> None:
        from web_terminal_suite.bench.printable import printable

        print(printable(text), file=sys.stderr, flush=True)


class ProgressLine:
    """A line that is written over: what is measured now, how much is done, how long the rest takes.

    While the suite is checked there is no such number: how often that is tried again depends on the machine. Drawn
    when something happens and not by a thread, since this process measures.
    """

    def __init__(
        self, trials: int, proof: Collection[Cell], to: TextIO, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._trials = trials - len(proof)
        self._proof = proof
        self._to = to
        self._clock = clock
        self._done = 0
        self._began_ns = 0
        self._checking = False
        self._line = ""

    def begin(self, slot: Slot) -> None:
        self._checking = not self._began_ns and slot.cell in self._proof
        if self._checking:
            what = slot.cell.parameter or slot.cell.benchmark
            self._draw(f"checking the suite: {what} [{slot.cell.terminal}], attempt {slot.block + 1}")
            return
        self._began_ns = self._began_ns or self._clock()
        self._draw(f"{self._done}/{self._trials}{self._rest()}  {slot.cell} block {slot.block + 1}")

    def end(self, trial: Trial) -> None:
        if not self._checking:
            self._done += 1
        if trial.problem:
            self._print(f"{trial.cell} block {trial.block + 1}: {trial.problem}")

    def again(self, trials: int) -> None:
        if not self._checking:
            self._trials += trials

    def say(self, text: str) -> None:
        # What an attempt found is of interest until the next one; where none succeeds, the error says it all.
        if self._checking:
            self._draw(text)
        else:
            self._print(text)

    def clear(self) -> None:
        """Remove the line."""
        self._to.write(_CLEAR)
        self._to.flush()

    def _rest(self) -> str:
        if not self._done:
            return ""
        seconds = (self._clock() - self._began_ns) * (self._trials - self._done) // self._done // _NS
        return f", {seconds // 60}:{seconds % 60:02} left"

    def _draw(self, line: str) -> None:
        from web_terminal_suite.bench.printable import printable

        # A line that wraps cannot be written over.
        columns = shutil.get_terminal_size().columns - 1
        self._line = printable(" ".join(line.split()))
        shown = self._line if len(self._line) <= columns else self._line[: columns - 1] + "…"
        self._to.write(f"{_CLEAR}{shown}")
        self._to.flush()

    def _print(self, text: str) -> None:
        from web_terminal_suite.bench.printable import printable

        self._to.write(f"{_CLEAR}{printable(text)}\n")
        self._draw(self._line)


@contextmanager
def shown(plan: Plan | None = None) -> Iterator[Progress]:
    """One line where standard error is a terminal, else a line a trial; without a plan only what is said."""
    trials, proof = (len(plan.slots), [slot.cell for slot in plan.proof]) if plan else (0, [])
    if not sys.stderr.isatty():
        yield ProgressLines(trials, proof)
        return
    line = ProgressLine(trials, proof, sys.stderr)
    try:
        yield line
    finally:
        line.clear()
