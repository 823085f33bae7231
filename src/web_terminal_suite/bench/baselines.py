"""Baselines: saved records with a name, that later runs are compared with.

Each is one final file, ``baselines/NAME.json`` in the suite's home directory. What the flags mean is decided here
without touching the disk (``choose``); the rest reads and writes. Flags and meaning are Criterion's.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from web_terminal_suite.bench import files, record
from web_terminal_suite.bench.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.bench.samples import Run

HOME = Path(".web-terminal-bench")
"""In the working directory, where nothing else is asked for."""

HOME_VARIABLE = "WEB_TERMINAL_BENCH_HOME"

LAST = "base"
"""What a run is saved as, and compared with, where no flag says otherwise. Criterion's name for it."""

LONGEST_NAME = 64

NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


class BaselineError(StorageError):
    """A baseline that is not there, cannot be used or cannot be saved; the text says what to do."""


@dataclass(frozen=True)
class Choice:
    """What to compare with, what to save as, and which saved run stands in for a new one; ``""`` for none.

    ``must_exist``: to have nothing to compare with is an error.
    """

    compare_with: str = ""
    must_exist: bool = False
    save_as: str = ""
    load: str = ""


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
        return Choice(baseline or lenient, must_exist=bool(baseline), load=load)
    if retain or discard:
        return Choice(LAST, must_exist=retain)
    return Choice(save or LAST, save_as=save or LAST)


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
        """The run that was saved.

        Raises:
            BaselineError: there is none of that name, or its file cannot be read as a record.
        """
        run = self.find(name)
        if run is None:
            raise BaselineError(f"there is no baseline {name!r} in {self.home}{self._remedy(name)}")
        return run

    def find(self, name: str) -> Run | None:
        """As ``load``, ``None`` where there is none of that name.

        Raises:
            BaselineError: its file cannot be read as a record.
        """
        path = self.path(name)
        if not path.exists():
            return None
        try:
            return record.load(path)
        except record.RecordError as error:
            raise BaselineError(f"baseline {name!r} cannot be used: {error}; save it anew") from error

    def save(self, name: str, run: Run, results: list[dict[str, Any]]) -> Path:
        """Keep ``run`` under ``name``, in place of what was there; whatever fails, the old one stays whole.

        Raises:
            BaselineError: the run is not complete, or the disk refuses.
        """
        if run.interrupted:
            raise BaselineError(f"an interrupted run is not saved as baseline {name!r}; measure again to the end")
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.put(path, record.document(run, results))
        except OSError as error:
            raise BaselineError(f"cannot save baseline {name!r} as {path}: {error.strerror}") from error
        return path

    def _remedy(self, name: str) -> str:
        known = self.names()
        if not known:
            return f"; it has none, make one with --save-baseline {name}"
        near = difflib.get_close_matches(name, known, n=1)
        return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"
