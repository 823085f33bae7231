"""Baselines: saved records with a name, that later runs are compared with.

Each is a final file, ``baselines/NAME.json`` in the suite's home directory, with the newest run; earlier runs of the
same code are files in ``baselines/NAME.earlier/``. What the flags mean is decided here without touching the disk
(``choose``); the rest reads and writes. Flags and meaning are Criterion's.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from web_terminal_suite.bench import files, record
from web_terminal_suite.bench.analysis.comparison import conditions
from web_terminal_suite.bench.analysis.comparison.machine import differences, network
from web_terminal_suite.bench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.bench.samples import Run

HOME = Path(".web-terminal-bench")
"""In the working directory, where nothing else is asked for."""

HOME_VARIABLE = "WEB_TERMINAL_BENCH_HOME"

LAST = "base"
"""What a run is saved as, and compared with, where no flag says otherwise. Criterion's name for it."""

NARROW = "narrow"
"""What a run without a flag is saved as where it has not all that ``base`` has."""

KEPT = 5
"""Runs of the same code that a baseline holds; with five a side, runs say how much they differ."""

LONGEST_NAME = 64

NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


class BaselineError(StorageError):
    """A baseline that is not there, cannot be used or cannot be saved; the text says what to do."""


@dataclass(frozen=True)
class Choice:
    """What to compare with, what to save as, and which saved run stands in for a new one; ``""`` for none.

    ``must_exist``: to have nothing to compare with is an error. ``is_named``: a flag says what to compare with, so what
    comes of it counts.
    """

    compare_with: str = ""
    must_exist: bool = False
    save_as: str = ""
    load: str = ""
    is_named: bool = False


def choose(
    *,
    save: str = "",
    baseline: str = "",
    lenient: str = "",
    load: str = "",
    retain: bool = False,
    discard: bool = False,
) -> Choice:
    """What the flags amount to.

    ==================  =====================  ==========
    flag                compares with          saves as
    ==================  =====================  ==========
    none                ``base`` if there      ``base``
    ``save`` N          N if there             N
    ``baseline`` N      N, which must exist    nothing
    ``lenient`` N       N if there             nothing
    ``retain``          ``base``, must exist   nothing
    ``discard``         ``base`` if there      nothing
    ==================  =====================  ==========

    Raises:
        BaselineError: flags that exclude each other, ``load`` without something to compare with, or no valid name.
    """
    flags = {
        "--save-baseline": bool(save),
        "--baseline": bool(baseline),
        "--baseline-lenient": bool(lenient),
        "--retain-baseline": retain,
        "--discard-baseline": discard,
    }
    given = [flag for flag, is_set in flags.items() if is_set]
    if len(given) > 1:
        raise BaselineError(f"{' and '.join(given)} exclude each other; give one of them")
    if load and not (baseline or lenient):
        raise BaselineError("--load-baseline needs something to compare with: add --baseline NAME")
    for name in (save, baseline, lenient, load):
        if name:
            check_name(name)
    if baseline or lenient:
        return Choice(baseline or lenient, must_exist=bool(baseline), load=load, is_named=True)
    if retain or discard:
        return Choice(LAST, must_exist=retain, is_named=retain)
    return Choice(save or LAST, save_as=save or LAST, is_named=bool(save))


def check_name(name: str) -> None:
    """Refuse what could not be a file's name everywhere.

    Raises:
        BaselineError
    """
    if not NAME.fullmatch(name):
        raise BaselineError(
            f"{name!r} is no name for a baseline: use up to {LONGEST_NAME} letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )


def home(given: Path | None, environment: Mapping[str, str]) -> Path:
    """Where baselines and history live: as given, else by the environment, else in the working directory."""
    if given is not None:
        return given
    named = environment.get(HOME_VARIABLE, "")
    return Path(named) if named else HOME


@dataclass(frozen=True)
class Baselines:
    """The baselines in one home directory, which is made when the first is saved."""

    home: Path

    def path(self, name: str) -> Path:
        """The file of that name, whether it exists or not.

        Raises:
            BaselineError: not a valid name.
        """
        check_name(name)
        return self.home / "baselines" / f"{name}.json"

    def names(self) -> tuple[str, ...]:
        """Those there are, in alphabetical order."""
        files = (self.home / "baselines").glob("*.json")
        return tuple(sorted(file.stem for file in files if NAME.fullmatch(file.stem)))

    def load(self, name: str) -> Run:
        """The run that was saved last.

        Raises:
            BaselineError: there is none of that name, or its file cannot be read as a record.
        """
        return self.load_set(name)[-1]

    def load_set(self, name: str) -> tuple[Run, ...]:
        """The runs of the same code that were saved, the newest last.

        Raises:
            BaselineError: as ``load``.
        """
        found = self.find_set(name)
        if not found:
            raise BaselineError(f"there is no baseline {name!r} in {self.home}{self._remedy(name)}")
        return found

    def find(self, name: str) -> Run | None:
        """As ``load``, ``None`` where there is none of that name.

        Raises:
            BaselineError: its file cannot be read as a record.
        """
        path = self.path(name)
        return self._read(name, path) if path.exists() else None

    def find_set(self, name: str) -> tuple[Run, ...]:
        """As ``load_set``, empty where there is none of that name.

        Raises:
            BaselineError: as ``find``.
        """
        newest = self.find(name)
        if newest is None:
            return ()
        earlier = [run for file in self._earlier(name) if is_alike(run := self._read(name, file), newest)]
        # A save that was cut short leaves a run in two places.
        together = (*earlier, newest)
        return tuple(
            run
            for place, run in enumerate(together)
            if not any(conditions.is_same_run(run, later) for later in together[place + 1 :])
        )

    def save(self, name: str, run: Run, results: list[dict[str, Any]], *, together: bool = False) -> Path:
        """Keep ``run`` under ``name``; whatever fails, what was there stays whole.

        Earlier runs stay next to it where they are of the same commit without changes, on the same machine, and
        measured alike; of more than ``KEPT`` the oldest goes. Otherwise the run takes the place of what was there.

        Args:
            together: measured by the same command as the newest, so that both are of the same code in any case.

        Raises:
            BaselineError: the run is no whole one, or the disk refuses.
        """
        if run.interrupted:
            raise BaselineError(f"an interrupted run is not saved as baseline {name!r}; measure again to the end")
        faults = conditions.faults(run)
        if faults:
            raise BaselineError(
                f"a run that failed is not saved as baseline {name!r}, and what was saved before stays: {faults[0]}"
            )
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not self._keeps_newest(name, run, together):
                files.put(path, record.document(run, results))
                self._forget(name, leave=0)
                return path
            self._set_aside(name)
            files.put(path, record.document(run, results))
            self._forget(name, leave=KEPT - 1)
        except OSError as error:
            raise BaselineError(f"cannot save baseline {name!r} as {path}: {error.strerror}") from error
        return path

    def not_covered(self, name: str, run: Run) -> str:
        """Why ``run`` would be less than what is saved under ``name``; empty where it is not.

        What is of another machine, or cannot be read, is no loss.
        """
        try:
            kept = self.find(name)
        except BaselineError:
            return ""
        if kept is None:
            return ""
        before, now = (network(each.machine) or "none" for each in (kept, run))
        if before != now:
            return f"this run's network is {now} and the last one's {before}"
        if differences(kept.machine, run.machine):
            return ""
        cells = {trial.cell for trial in kept.trials}
        missing = cells - {trial.cell for trial in run.trials}
        if missing:
            return f"this run has {len(cells) - len(missing)} of the {len(cells)} cells of the last one"
        if run.options.get("quick") and not kept.options.get("quick"):
            return "this run is a quick one and the last one was not"
        return ""

    def _keeps_newest(self, name: str, run: Run, together: bool) -> bool:
        """Whether what is saved stays next to ``run``."""
        try:
            kept = self.find_set(name)
        except BaselineError:
            return False
        if not kept or not is_alike(kept[-1], run):
            return False
        return together or (bool(run.revision) and not run.revision.endswith("+"))

    def _read(self, name: str, path: Path) -> Run:
        try:
            return record.load(path)
        except record.RecordError as error:
            raise BaselineError(
                f"baseline {name!r} cannot be used: {error}; save it anew after removing {path}"
            ) from error

    def _directory(self, name: str) -> Path:
        return self.path(name).with_suffix(".earlier")

    def _earlier(self, name: str) -> list[Path]:
        """Files of earlier runs, the oldest first."""
        return sorted(file for file in self._directory(name).glob("*.json") if file.stem.isdecimal())

    def _set_aside(self, name: str) -> None:
        """Make the newest an earlier one, unless a save that was cut short has done so."""
        content = self.path(name).read_bytes()
        earlier = self._earlier(name)
        if earlier and earlier[-1].read_bytes() == content:
            return
        directory = self._directory(name)
        directory.mkdir(exist_ok=True)
        number = int(earlier[-1].stem) + 1 if earlier else 1
        files.put(directory / f"{number:06}.json", content)

    def _forget(self, name: str, leave: int) -> None:
        """Remove all but the newest ``leave`` earlier runs."""
        found = self._earlier(name)
        for file in found[: max(0, len(found) - leave)]:
            file.unlink(missing_ok=True)
        if not leave and self._directory(name).is_dir():
            self._directory(name).rmdir()

    def _remedy(self, name: str) -> str:
        known = self.names()
        if not known:
            return f"; it has none, make one with --save-baseline {name}"
        near = difflib.get_close_matches(name, known, n=1)
        return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"


def is_alike(one: Run, other: Run) -> bool:
    """Whether two runs are of one revision, on one machine, of the same terminals and cells, measured the same way."""
    return (
        one.revision == other.revision
        and not differences(one.machine, other.machine)
        and not conditions.differing(one, other)
        and {trial.cell for trial in one.trials} == {trial.cell for trial in other.trials}
    )
