"""The history of results: one SQLite file that every run adds to, read back as series over time.

It keeps estimates, not samples: a run weighs a few kilobytes. Knows nothing of how results come about or are shown.
"""

from __future__ import annotations

import hashlib
import math
import re
import sqlite3
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.analysis.comparison.machine import fingerprint
from web_terminal_suite.bench.errors import StorageError
from web_terminal_suite.bench.samples import ABORTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from web_terminal_suite.bench.analysis import Analysis, Result
    from web_terminal_suite.bench.samples import Run

FILE = "history.sqlite"

SCHEMA_VERSION = 1
"""``PRAGMA user_version``. A file of another version is refused, never rewritten: it may belong to a newer program."""

APPLICATION = 0x77746268
"""``PRAGMA application_id``, "wtbh": tells our file from any other database."""

LOCK_SECONDS = 10.0
"""How long to wait for another run that is writing."""

GIT_SECONDS = 5.0
"""A checkout that takes longer to answer is none."""

_TABLES = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY, started TEXT NOT NULL, revision TEXT NOT NULL, version TEXT NOT NULL,
    machine TEXT NOT NULL, interrupted INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE results (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    benchmark TEXT NOT NULL, parameter TEXT NOT NULL, terminal TEXT NOT NULL, metric TEXT NOT NULL,
    role TEXT NOT NULL, n INTEGER NOT NULL, failed INTEGER NOT NULL, verdict TEXT NOT NULL, level REAL NOT NULL,
    PRIMARY KEY (run, benchmark, parameter, terminal, metric)
) WITHOUT ROWID;
CREATE TABLE estimates (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    benchmark TEXT NOT NULL, parameter TEXT NOT NULL, terminal TEXT NOT NULL, metric TEXT NOT NULL,
    statistic TEXT NOT NULL, unit TEXT NOT NULL, value REAL NOT NULL, lower REAL, upper REAL,
    PRIMARY KEY (run, benchmark, parameter, terminal, metric, statistic)
) WITHOUT ROWID;
"""


class HistoryError(StorageError):
    """A history that cannot be read or added to; the text names the file and says what to do."""


@dataclass(frozen=True)
class HistoryEntry:
    """One run's estimate, in the unit of its track; an end is infinite where there is none.

    ``value`` is ``inf`` where the operation at this percentile failed. ``revision`` is the commit of the checkout the
    run was started in, with ``+`` where files differed from it, or ``""``.
    """

    run: str
    started: str
    revision: str
    version: str
    n: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Track:
    """One statistic of one cell on one machine, oldest first."""

    benchmark: str
    parameter: str
    terminal: str
    metric: str
    statistic: str
    unit: str
    machine: str
    entries: tuple[HistoryEntry, ...]

    @property
    def name(self) -> str:
        """``suite/benchmark/parameter``."""
        return f"{self.benchmark}/{self.parameter}" if self.parameter else self.benchmark


class History:
    """An open history; use it with ``with``. A write waits ``lock_seconds`` for another process.

    Raises:
        HistoryError: from the constructor and every method: missing (unless ``create``), corrupt, locked, not a
            history, or of another schema.
    """

    def __init__(self, path: Path, create: bool = False, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self._path = path
        if not create and not path.exists():
            raise HistoryError(f"there is no history at {path}; each run of web-terminal bench adds to it")
        with self._translated():
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=lock_seconds, isolation_level=None)
        try:
            with self._translated():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def append(self, run: Run, analysis: Analysis, *, version: str, revision: str) -> str:
        """Add the results of a run and give its id; a run that is there already is replaced by itself."""
        run_id = identity(run)
        machine = fingerprint(run.machine)
        shown = [result for result in analysis.results if result.n and not result.not_applicable]
        with self._translated(), self._transaction():
            self._db.execute("DELETE FROM runs WHERE run = ?", (run_id,))
            self._db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, run.started, revision, version, machine, run.interrupted or ABORTED in run.options),
            )
            self._db.executemany(
                "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (*_key(run_id, each), each.role, each.n, each.failed, str(each.judgement.verdict), analysis.level)
                    for each in shown
                ],
            )
            self._db.executemany(
                "INSERT INTO estimates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (*_key(run_id, each), name, _unit(name, each), estimate.value, *map(_finite, ends))
                    for each in shown
                    for name, estimate in each.estimates.items()
                    if estimate.value is not None
                    for ends in ((estimate.lower, estimate.upper),)
                ],
            )
        return run_id

    def tracks(
        self, pattern: str = "", *, metric: str = "", statistics: tuple[str, ...] = (), limit: int = 0
    ) -> tuple[Track, ...]:
        """Series of the subjects' estimates, by name, the last ``limit`` runs of each (0: all).

        Args:
            pattern: a regular expression found anywhere in ``suite/benchmark/parameter``, as for ``bench``.
            metric, statistics: only these; empty for all.
        """
        try:
            wanted = re.compile(pattern)
        except re.error:
            wanted = re.compile(re.escape(pattern))
        with self._translated():
            rows = self._db.execute(
                """SELECT e.benchmark, e.parameter, e.terminal, e.metric, e.statistic, e.unit, r.machine,
                          r.run, r.started, r.revision, r.version, s.n, e.value, e.lower, e.upper
                   FROM estimates e JOIN runs r USING (run)
                   JOIN results s USING (run, benchmark, parameter, terminal, metric)
                   WHERE s.role = 'subject' AND r.interrupted = 0
                   ORDER BY e.benchmark, e.parameter, e.terminal, e.metric, e.statistic, e.unit, r.machine,
                            r.started, r.run"""
            ).fetchall()
        series: dict[tuple[str, str, str, str, str, str, str], list[HistoryEntry]] = {}
        for row in rows:
            lower, upper = -math.inf if row[13] is None else row[13], math.inf if row[14] is None else row[14]
            run, started, revision, version, n, value = row[7:13]
            entry = HistoryEntry(run, started, revision, version, n, value, lower, upper)
            series.setdefault(tuple(row[:7]), []).append(entry)
        found = (Track(*key, tuple(entries[-limit:])) for key, entries in series.items())
        return tuple(
            track
            for track in found
            if wanted.search(track.name)
            and metric in ("", track.metric)
            and (not statistics or track.statistic in statistics)
        )

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def _prepare(self) -> None:
        """Make the tables of a new file; refuse one that is not ours, or not of this version."""
        self._db.execute("PRAGMA foreign_keys = ON")
        if self._stamp() == (0, 0, 0):
            with self._transaction():
                # Another run may have begun the file since.
                if self._stamp() == (0, 0, 0):
                    self._create()
        application, version, _ = self._stamp()
        if application != APPLICATION:
            raise HistoryError(f"{self._path} is a database of something else; name another directory with --home")
        if version != SCHEMA_VERSION:
            age = "newer" if version > SCHEMA_VERSION else "older"
            remedy = "upgrade web-terminal" if version > SCHEMA_VERSION else "move it away and a new one is begun"
            raise HistoryError(
                f"{self._path} has schema {version}, {age} than {SCHEMA_VERSION}, which this version reads; {remedy}"
            )

    def _stamp(self) -> tuple[int, int, int]:
        """Whose database it is, of which schema, with how many tables and indices."""
        application, version, tables = (
            self._db.execute(question).fetchone()[0]
            for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        return application, version, tables

    def _create(self) -> None:
        for statement in _TABLES.split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # A full disk has SQLite roll back by itself.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise HistoryError(f"cannot use the history {self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise HistoryError(
                f"{self._path} is corrupt or no history: {error}; move it away and a new one is begun"
            ) from error
        except OSError as error:
            raise HistoryError(f"cannot make {self._path}: {error.strerror}") from error


def identity(run: Run) -> str:
    """Sixteen hexadecimal digits that stand for a run, however often it is read or added."""
    before = run.machine.get("before") or {}
    what = (run.started, run.seed, run.terminals, run.planned, before.get("hostname"), before.get("taken"))
    return hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:16]


def revision(directory: Path) -> str:
    """The commit of the checkout around ``directory``, with ``+`` where tracked files differ; ``""`` outside of one."""
    head = _git(directory, "rev-parse", "HEAD")
    if not head:
        return ""
    return head + ("+" if _git(directory, "status", "--porcelain", "--untracked-files=no") else "")


def _git(directory: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *words], capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        # No git, no checkout, or one that does not answer: a run is worth keeping without its commit.
        return ""
    return done.stdout.strip()


def _key(run_id: str, result: Result) -> tuple[str, str, str, str, str]:
    return run_id, result.cell.benchmark, result.cell.parameter, result.cell.terminal, result.metric.name


def _unit(statistic: str, result: Result) -> str:
    if statistic == "rate":
        return f"{result.throughput.unit if result.throughput else ''}/s"
    return result.metric.unit


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None
