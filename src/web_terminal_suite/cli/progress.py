"""What a person sees while a run proceeds: a bar on a terminal, plain lines elsewhere. Always on standard error."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import rich.progress

    from web_terminal_suite.bench.plan import Slot
    from web_terminal_suite.bench.progress import Progress
    from web_terminal_suite.bench.samples import Trial


class ProgressLines:
    """One line a trial."""

    def __init__(self, trials: int) -> None:
        self._trials = trials
        self._done = 0

    def begin(self, slot: Slot) -> None:
        pass

    def end(self, trial: Trial) -> None:
        self._done += 1
        count = len(trial.samples) or len(trial.points)
        problem = f": {trial.problem}" if trial.problem else ""
        self.say(f"[{self._done}/{self._trials}] {trial.cell} block {trial.block + 1}, {count} operations{problem}")

    def again(self, trials: int) -> None:
        self._trials += trials

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class ProgressBar:
    """One bar over all trials, with what is measured now next to it."""

    def __init__(self, bar: rich.progress.Progress, trials: int) -> None:
        self._bar = bar
        self._trials = trials
        self._task = bar.add_task("starting", total=trials)

    def begin(self, slot: Slot) -> None:
        self._bar.update(self._task, description=f"{slot.cell} block {slot.block + 1}")

    def end(self, trial: Trial) -> None:
        self._bar.advance(self._task)
        if trial.problem:
            self.say(f"{trial.cell} block {trial.block + 1}: {trial.problem}")

    def again(self, trials: int) -> None:
        self._trials += trials
        self._bar.update(self._task, total=self._trials)

    def say(self, text: str) -> None:
        self._bar.console.print(text, highlight=False, markup=False)


@contextmanager
def shown(trials: int) -> Iterator[Progress]:
    """The bar where standard error is a terminal, else lines."""
    if not sys.stderr.isatty():
        yield ProgressLines(trials)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Few redraws: the bar is drawn by the process that measures.
    bar = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2, auto_refresh=False)
    with bar:
        yield ProgressBar(bar, trials)
