"""The record on disk: written as the run proceeds, read back whole.

Two files hold the same thing. The *run file* is JSON lines, one object a line: ``header``, one ``trial`` after the
other, ``end``; it is appended to while the run proceeds, so what a killed run has measured can be reported. The
*final file* (``--json``) is one document that adds the results. Samples are columns of small integers, so 50,000 of
them take about a megabyte. Every field is described in ``docs/benchmarks.md``.

Knows nothing of statistics: results are carried, not made.
"""

from __future__ import annotations

import codecs
import fcntl
import itertools
import operator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.bench import files, plausibility
from web_terminal_suite.bench.errors import StorageError
from web_terminal_suite.bench.samples import (
    SCHEMA,
    BenchmarkFacts,
    Cell,
    CpuUsage,
    Filmstrip,
    FlameGraphFile,
    Outcome,
    Phase,
    Point,
    Run,
    Sample,
    TerminalFacts,
    TimeSeries,
    Trial,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

SCHEMA_NAME, _, _version = SCHEMA.partition("/")
SCHEMA_VERSION = int(_version)


class RecordError(StorageError):
    """A file that cannot be used as a record; the text names the file and says what to do."""


class Columns(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trial with its samples turned into columns, each one entry a sample.

    ``due`` holds differences: the first from ``origin_ns``, each other from the sample before. ``sent``, ``seen`` and
    the marks count from the sample's own due time; ``sent`` is empty where every operation was sent when due.
    ``phases`` are run lengths, empty where all is measured. ``noted`` lists what is not plainly ok: place, outcome,
    reason.
    """

    cell: Cell
    block: int
    origin_ns: int = 0
    due: list[int] = []
    sent: list[int] = []
    seen: list[int] = []
    phases: list[tuple[Phase, int]] = []
    noted: list[tuple[int, Outcome, str]] = []
    marks: dict[str, list[int | None]] = {}
    points: tuple[Point, ...] = ()
    usage: CpuUsage | None = None
    problem: str = ""
    infeasible: str = ""
    warnings: tuple[str, ...] = ()
    pictures: tuple[FlameGraphFile, ...] = ()
    courses: tuple[TimeSeries, ...] = ()
    filmstrips: tuple[Filmstrip, ...] = ()


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a ``Run`` but its trials."""

    schema: str
    started: str
    seed: int
    options: dict[str, Any]
    machine: dict[str, Any]
    terminals: tuple[TerminalFacts, ...]
    benchmarks: tuple[BenchmarkFacts, ...]
    planned: tuple[Cell, ...] = ()
    interrupted: bool = False
    revision: str = ""


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is read back of a stored result: enough to compare it with the one computed again."""

    id: str
    parameter: str
    terminal: str
    metric: str
    verdict: str


class Document(Header, frozen=True, kw_only=True):
    """The final file."""

    results: list[dict[str, Any]] = []
    trials: tuple[Columns, ...] = ()


class Stored(msgspec.Struct, frozen=True):
    """A file that was read. ``results`` is empty where the file is a run file."""

    run: Run
    results: tuple[StoredResult, ...] = ()


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the run file; exactly one field is set."""

    header: Header | None = None
    trial: Columns | None = None
    end: dict[str, Any] | None = None


class Recorder:
    """Writes a run file; open one with ``with``. Every line is handed to the kernel at once, never synced.

    A sync would make the disk part of what is measured; only a crash of the machine itself can lose lines.

    Raises:
        RecordError: the file exists already, or cannot be made; from every method, when it cannot be written to.
    """

    def __init__(self, path: Path, run: Run) -> None:
        """Begin the file with everything of ``run`` but its trials."""
        self._path = path
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError as error:
            raise RecordError(
                f"{path} exists; a record is never overwritten, name another file or move this one away; "
                "web-terminal validate says what it holds"
            ) from error
        except OSError as error:
            raise RecordError(f"cannot write {path}: {error.strerror}") from error
        try:
            # Tells those who find the file whether its run goes on; ends with this process at the latest.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass  # a file system without locks
        try:
            self._write(_Line(header=_header(run)))
        except RecordError:
            self._file.close()
            raise

    def append(self, trial: Trial) -> None:
        """Add one trial."""
        self._write(_Line(trial=to_columns(trial)))

    def finish(self, machine: dict[str, Any] | None = None) -> None:
        """Mark the plan as carried out; ``machine`` replaces the header's facts (it has seen the end)."""
        self._write(_Line(end={} if machine is None else {"machine": machine}))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, line: _Line) -> None:
        remaining = memoryview(msgspec.json.encode(line) + b"\n")
        try:
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        except OSError as error:
            raise RecordError(
                f"cannot write {self._path}: {error.strerror}; it holds what was measured before"
            ) from error


def is_being_written(path: Path) -> bool:
    """Whether a ``Recorder`` has the run file open, in this process or in another."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def save(path: Path, run: Run, results: list[dict[str, Any]]) -> None:
    """Write the final file, replacing one of that name only when it is complete.

    Raises:
        RecordError: it cannot be written.
    """
    try:
        files.put(path, document(run, results))
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror}") from error


def document(run: Run, results: list[dict[str, Any]]) -> bytes:
    """The final file's bytes: UTF-8 JSON, one object."""
    header = msgspec.structs.asdict(_header(run))
    trials = tuple(to_columns(trial) for trial in run.trials)
    return msgspec.json.encode(Document(**header, results=results, trials=trials)) + b"\n"


def load(path: Path) -> Run:
    """The run held by either kind of file. One that never ended comes back as ``interrupted``.

    Raises:
        RecordError: missing, empty, corrupt, of a newer schema, or no record at all.
    """
    return read(path).run


def read(path: Path) -> Stored:
    """As ``load``, with the results that the final file states.

    Raises:
        RecordError: as ``load``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from error
    data = data.removeprefix(codecs.BOM_UTF8)
    if not data.strip():
        raise RecordError(f"{path} is empty; it holds no record")
    first = data.partition(b"\n")[0]
    try:
        if first.startswith(b'{"header":'):
            return Stored(_from_lines(data))
        return _from_document(data)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} is not a record of web-terminal, or is corrupt: {error}") from error


def to_columns(trial: Trial) -> Columns:
    """The trial as it is stored. ``from_columns`` is its inverse."""
    samples = trial.samples
    due = [sample.due_ns for sample in samples]
    origin = due[0] if due else 0
    sent = [sample.sent_ns - sample.due_ns for sample in samples]
    phases = [(phase, len(list(run))) for phase, run in groupby(sample.phase for sample in samples)]
    names = sorted({name for sample in samples for name in sample.marks})
    return Columns(
        cell=trial.cell,
        block=trial.block,
        origin_ns=origin,
        due=[here - before for before, here in zip([origin, *due], due, strict=False)],
        sent=sent if any(sent) else [],
        seen=[sample.seen_ns - sample.due_ns for sample in samples],
        phases=[] if all(phase is Phase.MEASURE for phase, _ in phases) else phases,
        noted=[
            (place, sample.outcome, sample.reason)
            for place, sample in enumerate(samples)
            if sample.outcome is not Outcome.OK or sample.reason
        ],
        marks={
            name: [sample.marks[name] - sample.due_ns if name in sample.marks else None for sample in samples]
            for name in names
        },
        points=trial.points,
        usage=trial.usage,
        problem=trial.problem,
        infeasible=trial.infeasible,
        warnings=trial.warnings,
        pictures=trial.pictures,
        courses=trial.courses,
        filmstrips=trial.filmstrips,
    )


def from_columns(columns: Columns) -> Trial:
    """The trial that was stored.

    Raises:
        RecordError: columns of different lengths, or a note on a sample that is not there.
    """
    _check_lengths(columns)
    # Column by column: a run has some 300,000 operations.
    due = list(itertools.accumulate(columns.due, initial=columns.origin_ns))[1:]
    sent = list(map(operator.add, due, columns.sent)) if columns.sent else due
    seen = map(operator.add, due, columns.seen)
    phases = [phase for phase, length in columns.phases for _ in range(length)] or itertools.repeat(Phase.MEASURE)
    outcomes, reasons = [Outcome.OK] * len(due), [""] * len(due)
    for place, outcome, reason in columns.noted:
        outcomes[place], reasons[place] = outcome, reason
    marks: list[dict[str, int]] = [{} for _ in due]
    for name, column in columns.marks.items():
        for begun, passed, of in zip(due, column, marks, strict=True):
            if passed is not None:
                of[name] = begun + passed
    return Trial(
        cell=columns.cell,
        block=columns.block,
        samples=tuple(map(Sample, due, sent, seen, phases, outcomes, reasons, marks)),
        points=columns.points,
        usage=columns.usage,
        problem=columns.problem,
        infeasible=columns.infeasible,
        warnings=columns.warnings,
        pictures=columns.pictures,
        courses=columns.courses,
        filmstrips=columns.filmstrips,
    )


def _check_lengths(columns: Columns) -> None:
    n = len(columns.due)
    lengths = {"seen": len(columns.seen)} | {f"marks.{name}": len(column) for name, column in columns.marks.items()}
    if columns.sent:
        lengths["sent"] = len(columns.sent)
    if columns.phases:
        lengths["phases"] = sum(length for _, length in columns.phases)
    for name, length in lengths.items():
        if length != n:
            raise RecordError(f"corrupt: {columns.cell} has {n} due times and {length} entries in {name}")
    for place, _, _ in columns.noted:
        if not 0 <= place < n:
            raise RecordError(f"corrupt: {columns.cell} has a note on sample {place} of {n}")
    if len({place for place, _, _ in columns.noted}) < len(columns.noted):
        raise RecordError(f"corrupt: {columns.cell} has two notes on a sample")


def _header(run: Run) -> Header:
    return Header(**{name: getattr(run, name) for name in Header.__struct_fields__})


def _run(header: Header, trials: tuple[Trial, ...]) -> Run:
    found = Run(**{name: getattr(header, name) for name in Header.__struct_fields__}, trials=trials)
    for fault in plausibility.faults(found):
        raise RecordError(f"corrupt: {fault}")
    return found


def _check_schema(schema: str) -> None:
    name, _, version = schema.partition("/")
    if name != SCHEMA_NAME or not version.isdecimal():
        raise RecordError(f"not a record of web-terminal: schema is {schema!r}, not {SCHEMA!r}")
    if int(version) > SCHEMA_VERSION:
        raise RecordError(f"schema {schema} is newer than {SCHEMA}, which this version reads; upgrade web-terminal")


class _Schema(msgspec.Struct):
    schema: str


class _SchemaLine(msgspec.Struct):
    header: _Schema


def _from_document(data: bytes) -> Stored:
    # A newer schema may change anything but its own name, so that is read alone and first.
    _check_schema(msgspec.json.decode(data, type=_Schema).schema)
    found = msgspec.json.decode(data, type=Document)
    results = msgspec.convert(found.results, tuple[StoredResult, ...])
    return Stored(_run(found, tuple(from_columns(columns) for columns in found.trials)), results)


def _from_lines(data: bytes) -> Run:
    # What follows the last line feed was being written when the run died; it is no line yet.
    *lines, _unfinished = data.split(b"\n")
    if not lines:
        raise RecordError("corrupt: the header was never finished; the run measured nothing")
    _check_schema(msgspec.json.decode(lines[0], type=_SchemaLine).header.schema)
    header, trials, end = msgspec.json.decode(lines[0], type=_Line).header, [], None
    if header is None:
        raise RecordError("corrupt: the first line is not a header")
    for number, text in enumerate(lines[1:], start=2):
        try:
            line = msgspec.json.decode(text, type=_Line)
        except msgspec.MsgspecError as error:
            raise RecordError(f"corrupt in line {number}: {error}") from error
        if end is not None or (line.trial is None and line.end is None):
            raise RecordError(f"corrupt in line {number}: expected a trial or nothing")
        if line.trial is not None:
            trials.append(from_columns(line.trial))
        end = line.end
    header = msgspec.structs.replace(
        header, interrupted=end is None, machine=(end or {}).get("machine", header.machine)
    )
    return _run(header, tuple(trials))
