"""The trials of a run as far as it has come: in memory, and on disk where there is a file for them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.bench import machine, record
from web_terminal_suite.bench.history import revision

if TYPE_CHECKING:
    from types import TracebackType

    from web_terminal_suite.bench.browser.facts import BrowserFacts
    from web_terminal_suite.bench.calibration import Proof
    from web_terminal_suite.bench.network.recovery import Recovery
    from web_terminal_suite.bench.samples import Run, Trial


def trial_file(path: Path) -> Path:
    """Where trials go until the record at ``path`` is written; what a killed run leaves there is a record too."""
    return path.with_name(path.name + ".trials")


def now() -> str:
    """The time of day as a record states it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Recording:
    """Takes the trials of one run; use it with ``with``.

    Raises:
        RecordError: the file for the trials cannot be made.
    """

    def __init__(self, header: Run, before: machine.MachineSnapshot, path: Path | None = None) -> None:
        """Begin with ``header``, a run without trials, on a machine as it was ``before``."""
        header = msgspec.structs.replace(header, revision=revision(Path.cwd()))
        self._header = header
        self._before = before
        self._trials: list[Trial] = []
        self._file = None if path is None else trial_file(path)
        self._recorder = None if self._file is None else record.Recorder(self._file, header)
        self.is_interrupted = False
        self._calibration: Proof | None = None
        self._recovery: Recovery | None = None
        self._browser: BrowserFacts | None = None

    def calibrated(self, calibration: Proof) -> None:
        """Keep how the suite's client was proven; what disturbed that becomes a warning of the machine."""
        self._calibration = calibration

    def network_recovered(self, recovery: Recovery) -> None:
        """Keep what was measured of the network; where the machine disturbed that, it becomes a warning of it."""
        self._recovery = recovery

    def in_browser(self, facts: BrowserFacts) -> None:
        """Keep what ``facts`` have of the browser once the run is over."""
        self._browser = facts

    def append(self, *trials: Trial) -> None:
        """Keep trials.

        Raises:
            RecordError: the disk refuses one. All of them are in memory.
        """
        self._trials += trials
        if self._recorder is not None and not self.is_interrupted:
            for trial in trials:
                self._recorder.append(trial)

    def interrupt(self) -> None:
        """Note that the run ended before its plan. What follows is kept in memory only."""
        self.is_interrupted = True

    def discard(self) -> None:
        """Remove the file: what it holds cannot be believed."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def finish(self) -> tuple[Run, str]:
        """The run as far as it came, and why its file could not be finished; empty where it was."""
        facts: dict[str, Any] = machine.record(self._before, machine.snapshot())
        if self._calibration is not None:
            facts["calibration"] = self._calibration.facts()
            facts["warnings"] += self._calibration.warnings()
        if "network" in self._header.machine:
            facts["network"] = self._header.machine["network"]
        if self._recovery is not None:
            facts["network"] = self._recovery.facts()
            facts["warnings"] += self._recovery.warnings()
        if self._browser is not None and (browser := self._browser.plain()):
            facts["browser"] = browser
        problem = ""
        if self._recorder is not None and not self.is_interrupted:
            try:
                self._recorder.finish(facts)
            except record.RecordError as error:
                problem = str(error)
        run = msgspec.structs.replace(
            self._header, trials=tuple(self._trials), machine=facts, interrupted=self.is_interrupted
        )
        return run, problem

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._recorder is not None:
            self._recorder.__exit__(kind, error, trace)
