"""What is kept of a run, and how it is found again: record files, baselines, history, the HTML report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from web_terminal_suite import __version__
from web_terminal_suite.bench import baselines, files, record
from web_terminal_suite.bench.analysis.comparison.conditions import faults
from web_terminal_suite.bench.errors import StorageError
from web_terminal_suite.bench.history import FILE, History, HistoryError, revision
from web_terminal_suite.bench.pipeline.recording import trial_file
from web_terminal_suite.bench.report.common.options import ReportError, ReportOptions
from web_terminal_suite.bench.report.export import json as json_report
from web_terminal_suite.bench.report.formats import REPORT_FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.history import Track
    from web_terminal_suite.bench.pipeline.options import StorageOptions
    from web_terminal_suite.bench.samples import Run

_SHOWN: Final = ("p95", "slope", "level")
"""One statistic of each kind is drawn over time."""

_RUNS: Final = 100


def home(given: Path | None = None) -> Path:
    """Where baselines and history are: as given, else by the environment, else in the working directory."""
    return baselines.home(given, os.environ)


def open_run(name: str = "", directory: Path | None = None) -> Run:
    """A run by the name of its record file or of its baseline, of which it is the newest; without a name the last one.

    Args:
        directory: where baselines are; as ``home``.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    if name:
        return open_runs(name, directory)[-1]
    place = home(directory)
    kept = baselines.Baselines(place)
    found = [run for each in (baselines.LAST, baselines.NARROW) if (run := kept.find(each)) is not None]
    if not found:
        raise StorageError(f"no run is named, and {place} keeps none; name a record file, or run web-terminal bench")
    return max(found, key=lambda run: run.started)


def open_runs(name: str, directory: Path | None = None) -> tuple[Run, ...]:
    """All runs of one code by the name of their baseline, or of their record files with commas between; oldest first.

    Args:
        directory: where baselines are; as ``home``.

    Raises:
        StorageError: one is not there, or cannot be read.
    """
    names = [name] if Path(name).is_file() else name.split(",")
    found: list[Run] = []
    for each in names:
        path = Path(each)
        if each and (path.is_file() or path.suffix or len(path.parts) > 1):
            found.append(record.load(path))
        else:
            found += baselines.Baselines(home(directory)).load_set(each)
    return tuple(found)


def save_record(path: Path, run: Run, analysis: Analysis) -> None:
    """Write record and results as one file; the trials next to it are in it and go.

    Raises:
        RecordError: it cannot be written.
    """
    json_report.write(path, run, analysis)
    trial_file(path).unlink(missing_ok=True)


def keep(run: Run, analysis: Analysis, storage: StorageOptions, *, together: bool = False) -> tuple[str, ...]:
    """Save the run as the baseline that was asked for, and add it to the history; if one fails, the other is done.

    Args:
        together: measured by the same command as the last one that was kept, so both are of the same code.

    Returns:
        What was not saved as asked, and why, a line each.

    Raises:
        StorageError: either cannot be written.
    """
    told, failed = [], []
    if storage.choice.save_as:
        try:
            told = _save_baseline(run, analysis, storage, together)
        except baselines.BaselineError as error:
            failed.append(str(error))
    if storage.history:
        try:
            add_to_history(storage.home, run, analysis)
        except StorageError as error:
            failed.append(str(error))
    if failed:
        raise StorageError("; ".join(failed))
    return tuple(told)


def _save_baseline(run: Run, analysis: Analysis, storage: StorageOptions, together: bool) -> list[str]:
    """Save the run; what stands against it, where it was not saved as asked."""
    name, kept = storage.choice.save_as, storage.baselines
    wrong = [*faults(run), *analysis.problems, *_problems(analysis)]
    if wrong:
        return [f"the run failed, so it is not saved as baseline {name!r}; what was saved before stays: {wrong[0]}"]
    told = []
    if name == baselines.LAST and (missing := kept.not_covered(name, run)):
        told.append(f"{missing}, so it is kept as {baselines.NARROW!r} and does not replace {name!r}")
        name = baselines.NARROW
    kept.save(name, run, json_report.results(analysis), together=together)
    return told


def _problems(analysis: Analysis) -> list[str]:
    return [f"{result.cell}: {problem}" for result in analysis.results for problem in result.problems]


def add_to_history(directory: Path, run: Run, analysis: Analysis) -> None:
    """Add a run to the history in ``directory``.

    Raises:
        StorageError: the history cannot be written; ``--no-history`` does without.
    """
    try:
        with History(directory / FILE, create=True) as history:
            history.append(run, analysis, version=__version__, revision=run.revision or revision(Path.cwd()))
    except HistoryError as error:
        raise StorageError(f"{error}; --no-history does without") from error


def write_report(
    run: Run,
    analysis: Analysis,
    directory: Path,
    base: tuple[Run, Analysis] | None = None,
    name: str = "",
    earlier: Sequence[Run] = (),
) -> Path:
    """Write the run's HTML report into ``directory``, with ``base`` to compare with; where it is.

    Args:
        name: of the file, where it is not the format's own.
        earlier: further runs of the code of ``base``.

    Raises:
        StorageError: the page is not built, or the disk refuses.
    """
    chosen = REPORT_FORMATS["html"]
    path = directory / (name or chosen.file_name)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tracks, _ = earlier_results(directory)  # one that cannot be read is for ``keep`` to complain about
        page = chosen.load()(run, analysis, ReportOptions(__version__, base, tracks, earlier=tuple(earlier)))
        files.put(path, page.encode())
    except ReportError as error:
        raise StorageError(str(error)) from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return path


def earlier_results(directory: Path) -> tuple[tuple[Track, ...], str]:
    """Results of earlier runs, and why there are none where the history cannot be read."""
    path = directory / FILE
    if not path.exists():
        return (), ""
    try:
        with History(path) as kept:
            return tuple(kept.tracks(statistics=_SHOWN, limit=_RUNS)), ""
    except HistoryError as error:
        return (), str(error)
