"""The history file: what goes in comes out, once, and what is no history is refused."""

from __future__ import annotations

import math
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.bench.comparisons import measured
from tests.bench.records import MS, PEER, run, samples, trial
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.history import FILE, History, HistoryError, identity, revision
from web_terminal_suite.bench.samples import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.samples import Run


def added(path: Path, of: Run, revision: str = "abc", **options: float) -> str:
    with History(path, create=True, **options) as history:
        return history.append(of, analyse(of), version="1", revision=revision)


def day(number: int, scale: float = 1.0, **more: object) -> Run:
    return measured(scale, seed=number, started=f"2026-01-{number:02}T00:00:00Z", blocks=2, **more)  # type: ignore[arg-type]


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path, of = tmp_path / "home" / FILE, day(1)
    run_id = added(path, of)
    with History(path) as history:
        tracks = history.tracks(statistics=("p95",))
    assert [track.name for track in tracks] == ["suite/a", "suite/b"]
    (entry,) = tracks[0].entries
    (result, _) = analyse(of).results
    expected = result.estimates["p95"]
    assert (entry.value, entry.lower, entry.upper) == (expected.value, expected.lower, expected.upper)
    assert (entry.run, entry.n, entry.revision, entry.version) == (run_id, 100, "abc", "1")
    assert (tracks[0].unit, tracks[0].terminal, tracks[0].metric) == ("ns", "ours", "latency")


def test_the_same_run_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / FILE
    assert added(path, day(1)) == added(path, day(1), revision="def")
    added(path, day(2))
    with History(path) as history:
        (track, _) = history.tracks(statistics=("p50",))
    assert [entry.revision for entry in track.entries] == ["def", "abc"]


def test_runs_differ_by_start_seed_and_machine() -> None:
    ids = {identity(each) for each in (day(1), day(2), measured(seed=9), measured(hostname="there"))}
    assert len(ids) == 4
    assert identity(day(1)) == identity(day(1))


def test_oldest_first_and_the_last_few(tmp_path: Path) -> None:
    path = tmp_path / FILE
    for number in (3, 1, 2):
        added(path, day(number))
    with History(path) as history:
        (track,) = history.tracks("suite/a", statistics=("p50",), limit=2)
        assert [entry.started[:10] for entry in track.entries] == ["2026-01-02", "2026-01-03"]
        assert [each.statistic for each in history.tracks("suite/b")] == ["mean", "p50", "p95"]
        assert history.tracks("suite/(") == ()
        assert history.tracks(metric="other") == ()


def test_machines_are_kept_apart_and_parts_of_runs_out(tmp_path: Path) -> None:
    path = tmp_path / FILE
    added(path, day(1))
    added(path, day(2, kernel="other"))
    added(path, msgspec.structs.replace(day(3), interrupted=True))
    with History(path) as history:
        tracks = history.tracks("suite/a", statistics=("p50",))
    assert len({track.machine for track in tracks}) == 2
    assert [len(track.entries) for track in tracks] == [1, 1]


def test_failures_and_missing_ends_survive(tmp_path: Path) -> None:
    path = tmp_path / FILE
    broken = run(trial([*samples([MS] * 150), *samples([MS] * 50, outcome=Outcome.TIMEOUT)]), terminals=(PEER,))
    broken = msgspec.structs.replace(
        broken, trials=tuple(msgspec.structs.replace(each, cell=msgspec.structs.replace(each.cell, terminal="peer"))
                             for each in broken.trials))  # fmt: skip
    added(path, broken)
    with History(path) as history:
        by_name = {track.statistic: track.entries[0] for track in history.tracks()}
    assert by_name["p95"].value == math.inf
    assert by_name["mean"].upper == math.inf
    assert by_name["p50"].value == MS


def test_no_history_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"there is no history at .*; each run of web-terminal bench adds to it"):
        History(tmp_path / FILE)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", [b"not a database, but long enough" * 40, b"SQLite format 3\0" + b"x" * 4096])
def test_a_corrupt_file_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE
    path.write_bytes(content)
    with pytest.raises(HistoryError, match=r"history.sqlite is corrupt or no history: .*; move it away"):
        History(path, create=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("version", "words"), [(2, "newer than 1.*upgrade web-terminal"), (0, "older than 1.*move it")]
)
def test_another_schema_is_refused(tmp_path: Path, version: int, words: str) -> None:
    path = tmp_path / FILE
    added(path, day(1))
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    with pytest.raises(HistoryError, match=words):
        History(path)


def test_somebody_elses_database_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / FILE
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE theirs (x)")
    database.commit()
    database.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="is a database of something else"):
        History(path, create=True)
    assert path.read_bytes() == before


def test_a_locked_history_is_an_error_not_a_wait_for_ever(tmp_path: Path) -> None:
    path = tmp_path / FILE
    added(path, day(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HistoryError, match=r"cannot use the history .*locked"):
        added(path, day(2), lock_seconds=0.05)
    other.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot make"):
        History(tmp_path / "file" / FILE, create=True)


def test_revision_of_a_checkout(tmp_path: Path) -> None:
    assert revision(tmp_path) == ""
    config = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    (tmp_path / "file").write_text("1")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *config, *words], check=True, capture_output=True)
    clean = revision(tmp_path)
    assert len(clean) == 40
    (tmp_path / "file").write_text("2")
    assert revision(tmp_path) == clean + "+"


def test_a_patch_of_the_kernel_begins_no_new_line(tmp_path: Path) -> None:
    path = tmp_path / FILE
    for number, kernel in enumerate(("6.1.0-generic", "6.1.77-generic"), start=1):
        added(path, day(number, kernel=kernel))
    with History(path) as history:
        (track,) = history.tracks("suite/a", statistics=("p50",))
    assert len(track.entries) == 2
