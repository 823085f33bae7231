"""What a run tells while it proceeds. How that is shown is up to the program that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from web_terminal_suite.bench.plan import Slot
    from web_terminal_suite.bench.samples import Trial


class Progress(Protocol):
    """Told by the runner what it does."""

    def begin(self, slot: Slot) -> None:
        """A trial begins."""

    def end(self, trial: Trial) -> None:
        """It is over and kept."""

    def again(self, trials: int) -> None:
        """``trials`` more than planned will be run; fewer where it is negative."""

    def say(self, text: str) -> None:
        """Something worth a line."""


class NoProgress:
    """Shows nothing."""

    def begin(self, slot: Slot) -> None:
        pass

    def end(self, trial: Trial) -> None:
        pass

    def again(self, trials: int) -> None:
        pass

    def say(self, text: str) -> None:
        pass
