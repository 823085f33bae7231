"""What ``bench`` and ``load`` write: found to be possible before they measure, and done before they print."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from web_terminal_suite.cli.exit_status import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.pipeline import StorageOptions
    from web_terminal_suite.bench.samples import Run


@dataclass(frozen=True)
class Kept:
    """What was written, and what could not be."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]

    def print(self) -> None:
        """Say what was written.

        Raises:
            StorageError: something could not be.
        """
        from web_terminal_suite.bench.errors import StorageError
        from web_terminal_suite.bench.printable import printable

        for line in self.lines:
            print(printable(line))
        if self.problems:
            raise StorageError("; ".join(self.problems))


def check(command: str, flags: dict[str, Any], storage: StorageOptions) -> None:
    """Refuse, before anything is measured, places that nothing can be written to, and what cannot be computed.

    Raises:
        OptionsError: and of what is not installed, ``ModuleNotFoundError``.
    """
    # Analysis needs it after the run only, where all that was measured would be lost for want of it.
    import scipy.special  # noqa: F401

    if flags.get("profile") is not None:
        _check_profile(flags["profile"])
    for number in range(flags.get("runs", 1)):
        if (path := record_file(flags["json"], number)) is not None:
            _check_record(command, path)
    if storage.history or storage.choice.save_as or not flags["noplot"]:
        _check_home(storage)


def record_file(path: Path | None, number: int) -> Path | None:
    """``run.json`` of the first of several runs, ``run-2.json`` of the second."""
    if path is None or number == 0:
        return path
    return path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def keep(
    judged: Sequence[tuple[Run, Analysis]],
    base: Sequence[Run],
    storage: StorageOptions,
    flags: dict[str, Any],
    report: str = "",
) -> Kept:
    """Write the records, the baseline, the history and the report; where one fails, the others are written.

    Args:
        judged: one or several runs of the same command; the report is on the last.
        base: what they are compared with; the last is drawn next to them.
        report: name of the report's file, where it is not the format's own.
    """
    from web_terminal_suite.bench.errors import BenchError

    lines: list[str] = []
    problems: list[str] = []
    for write in _writers(judged, base, storage, flags, report):
        try:
            lines += write()
        except BenchError as error:
            problems.append(str(error))
    return Kept(tuple(lines), tuple(problems))


def _writers(
    judged: Sequence[tuple[Run, Analysis]],
    base: Sequence[Run],
    storage: StorageOptions,
    flags: dict[str, Any],
    report: str,
) -> Iterator[Callable[[], Sequence[str]]]:
    """One function for each thing that is to be written; each gives the lines that say so."""
    from web_terminal_suite.bench import pipeline

    for number, (run, analysis) in enumerate(judged):
        if (path := record_file(flags["json"], number)) is not None:
            yield partial(_record, path, run, analysis)
    if flags.get("self_check"):
        return
    if not storage.choice.load:
        for number, (run, analysis) in enumerate(judged):
            yield partial(pipeline.keep, run, analysis, storage, together=number > 0)
    if not flags["noplot"]:
        yield partial(_report, *judged[-1], base, storage, report)


def _record(path: Path, run: Run, analysis: Analysis) -> Sequence[str]:
    from web_terminal_suite.bench.pipeline import save_record

    save_record(path, run, analysis)
    return ()


def _report(run: Run, analysis: Analysis, base: Sequence[Run], storage: StorageOptions, name: str) -> Sequence[str]:
    """Where the HTML report is, or why there is none: a run does not fail for want of it."""
    from web_terminal_suite.bench.pipeline import StorageError, analyse, write_report

    before = (base[-1], analyse(base[-1], analysis.level)) if base else None
    try:
        return (f"report: {write_report(run, analysis, storage.home, before, name, base[:-1])}",)
    except StorageError as error:
        return (f"no report: {error}",)


def _check_record(command: str, path: Path) -> None:
    from web_terminal_suite.bench.pipeline import OptionsError

    if not path.parent.is_dir():
        raise OptionsError(f"--json {path}: there is no directory {path.parent}")
    if path.is_dir():
        raise OptionsError(f"--json {path}: it is a directory; name a file in it")
    if path.is_file() or not path.exists():
        _check_directory(f"--json {path}", path.parent)
        _set_aside(command, path)


def _check_profile(directory: Path) -> None:
    from web_terminal_suite.bench.pipeline import OptionsError
    from web_terminal_suite.bench.profile import ProfilerMissing, find_profiler

    if directory.exists() and not directory.is_dir():
        raise OptionsError(f"--profile {directory}: it is no directory")
    _check_directory(f"--profile {directory}", directory)
    try:
        find_profiler()
    except ProfilerMissing as error:
        raise OptionsError(f"--profile: {error}") from error


def _check_home(storage: StorageOptions) -> None:
    from web_terminal_suite.bench.history import FILE
    from web_terminal_suite.bench.pipeline import OptionsError

    place = f"--home {storage.home}"
    _check_directory(place, storage.home)
    if storage.choice.save_as:
        _check_directory(place, storage.home / "baselines")
    history = storage.home / FILE
    if storage.history and history.exists() and not os.access(history, os.W_OK):
        raise OptionsError(f"{place}: {history} cannot be written to; --no-history does without")


def _check_directory(what: str, directory: Path) -> None:
    """Write a file and remove it: permissions alone do not say whether a disk takes anything."""
    from web_terminal_suite.bench import files
    from web_terminal_suite.bench.pipeline import OptionsError

    try:
        files.try_directory(directory)
    except OSError as error:
        raise OptionsError(f"{what}: nothing can be written to {directory}: {error.strerror}") from error


def _set_aside(command: str, path: Path) -> None:
    """Rename the trials that a killed run has left, so that the same command measures again and loses nothing."""
    from web_terminal_suite.bench.pipeline import OptionsError
    from web_terminal_suite.bench.pipeline.recording import trial_file
    from web_terminal_suite.bench.record import is_being_written

    left = trial_file(path)
    if not left.is_file():
        return
    if is_being_written(left):
        raise OptionsError(f"--json {path}: another run writes {left} now; name another file")
    number = 1
    while (aside := left.with_name(f"{left.name}.{number}")).exists():
        number += 1
    left.rename(aside)
    say(f"an earlier run did not end; what it measured is now {aside}", command)
