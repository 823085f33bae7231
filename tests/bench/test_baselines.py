"""Baselines: what the flags mean, names, and files that are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.comparisons import measured
from web_terminal_suite.bench import baselines, record
from web_terminal_suite.bench.baselines import BaselineError, Baselines, Choice, choose

if TYPE_CHECKING:
    from web_terminal_suite.bench.samples import Run

NAMES = st.from_regex(baselines.NAME, fullmatch=True)


@pytest.mark.parametrize(
    ("flags", "choice"),
    [
        ({}, Choice("base", save_as="base")),
        ({"save": "x"}, Choice("x", save_as="x", is_named=True)),
        ({"baseline": "x"}, Choice("x", must_exist=True, is_named=True)),
        ({"lenient": "x"}, Choice("x", is_named=True)),
        ({"retain": True}, Choice("base", must_exist=True, is_named=True)),
        ({"discard": True}, Choice("base")),
        ({"baseline": "x", "load": "y"}, Choice("x", must_exist=True, load="y", is_named=True)),
        ({"lenient": "x", "load": "y"}, Choice("x", load="y", is_named=True)),
    ],
)
def test_flags_mean_what_they_mean_in_criterion(flags: dict[str, object], choice: Choice) -> None:
    assert choose(**flags) == choice  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"save": "x", "baseline": "y"}, "--save-baseline and --baseline exclude each other"),
        ({"retain": True, "discard": True}, "--retain-baseline and --discard-baseline exclude"),
        ({"load": "x"}, "add --baseline NAME"),
        ({"load": "x", "save": "y"}, "add --baseline NAME"),
        ({"save": "../x"}, "is no name for a baseline"),
    ],
)
def test_flags_that_contradict_are_refused(flags: dict[str, object], complaint: str) -> None:
    with pytest.raises(BaselineError, match=complaint):
        choose(**flags)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "-x", "a b", "ä", "x" * 65, "a\n", "a\0"])
def test_names_that_could_leave_the_directory_are_refused(name: str) -> None:
    with pytest.raises(BaselineError, match="is no name for a baseline"):
        baselines.check_name(name)


@settings(deadline=None)
@given(NAMES)
def test_every_name_stays_in_the_directory(name: str) -> None:
    path = Baselines(Path("/home")).path(name)
    assert path.parent == Path("/home/baselines")
    assert os.path.normpath(path) == str(path)


def test_home_is_given_or_named_or_here(tmp_path: Path) -> None:
    environment = {"WEB_TERMINAL_BENCH_HOME": "/elsewhere"}
    assert baselines.home(tmp_path, environment) == tmp_path
    assert baselines.home(None, environment) == Path("/elsewhere")
    assert baselines.home(None, {}) == Path(".web-terminal-bench")


def test_what_was_saved_is_loaded_and_replaced(tmp_path: Path) -> None:
    kept = Baselines(tmp_path / "new" / "home")
    assert kept.names() == ()
    path = kept.save("main", measured(), [])
    assert kept.load("main") == measured()
    kept.save("main", measured(seed=2), [])
    assert kept.load("main") == measured(seed=2)
    assert kept.names() == ("main",)
    assert os.listdir(path.parent) == ["main.json"]
    assert path.stat().st_mode & 0o444 & ~_umask() == 0o444 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def of_commit(revision: str, seed: int, **more: object) -> Run:
    started = f"2026-01-01T00:00:{seed:02}Z"
    return msgspec.structs.replace(measured(seed=seed, started=started, **more), revision=revision)  # type: ignore[arg-type]


def test_runs_of_one_commit_are_kept_together_up_to_five(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    for seed in range(1, 8):
        kept.save("main", of_commit("abc", seed), [])
    assert [run.seed for run in kept.load_set("main")] == [3, 4, 5, 6, 7]
    assert kept.load("main").seed == 7
    assert kept.names() == ("main",)


@pytest.mark.parametrize(
    "other",
    [
        of_commit("def", 2),
        of_commit("abc+", 2),
        of_commit("", 2),
        of_commit("abc", 2, kernel="7.1"),
        of_commit("abc", 2, names=("suite/a",)),
        msgspec.structs.replace(of_commit("abc", 2), options={"quick": False}),
    ],
    ids=["another commit", "changes", "no commit", "another machine", "other cells", "other options"],
)
def test_what_is_of_other_code_replaces_all(tmp_path: Path, other: Run) -> None:
    kept = Baselines(tmp_path)
    for seed in (0, 1):
        kept.save("main", of_commit("abc", seed), [])
    kept.save("main", other, [])
    assert [run.seed for run in kept.load_set("main")] == [2]
    assert os.listdir(tmp_path / "baselines") == ["main.json"]


def test_a_modified_tree_is_kept_together_only_within_one_command(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    kept.save("main", of_commit("abc+", 1), [])
    kept.save("main", of_commit("abc+", 2), [])
    kept.save("main", of_commit("abc+", 3), [], together=True)
    assert [run.seed for run in kept.load_set("main")] == [2, 3]


def test_a_save_that_was_cut_short_counts_no_run_twice(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    path = kept.save("main", of_commit("abc", 1), [])
    (tmp_path / "baselines" / "main.earlier").mkdir()
    (tmp_path / "baselines" / "main.earlier" / "000001.json").write_bytes(path.read_bytes())
    assert [run.seed for run in kept.load_set("main")] == [1]


def test_a_missing_one_says_what_there_is(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    with pytest.raises(BaselineError, match="it has none, make one with --save-baseline main"):
        kept.load("main")
    kept.save("main", measured(), [])
    with pytest.raises(BaselineError, match="did you mean 'main'"):
        kept.load("mian")
    with pytest.raises(BaselineError, match="there are: main"):
        kept.load("zzz")
    assert kept.find("zzz") is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "is empty"), ("{", "corrupt"), ('{"schema":"web-terminal-bench/99"}', "newer")],
)
def test_one_that_cannot_be_read_says_so(tmp_path: Path, content: str, complaint: str) -> None:
    kept = Baselines(tmp_path)
    kept.save("main", measured(), []).write_text(content)
    with pytest.raises(BaselineError, match=f"baseline 'main' cannot be used: .*{complaint}.*; save it anew"):
        kept.find("main")


def test_an_interrupted_run_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="an interrupted run is not saved"):
        Baselines(tmp_path).save("main", msgspec.structs.replace(measured(), interrupted=True), [])


def test_a_full_disk_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Baselines(tmp_path)
    path = kept.save("main", measured(), [])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BaselineError, match="No space left on device"):
        kept.save("main", measured(seed=2), [])
    assert record.load(path) == measured()
    assert os.listdir(path.parent) == ["main.json"]


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BaselineError, match="cannot save baseline 'main'"):
        Baselines(tmp_path / "file").save("main", measured(), [])


def test_after_a_save_that_was_cut_short_the_next_counts_no_run_twice(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    earlier = tmp_path / "baselines" / "main.earlier"
    path = kept.save("main", of_commit("abc", 1), [])
    earlier.mkdir()
    (earlier / "000001.json").write_bytes(path.read_bytes())
    for seed in range(2, 6):
        kept.save("main", of_commit("abc", seed), [])
        assert [run.seed for run in kept.load_set("main")] == list(range(1, seed + 1))
    assert len(list(earlier.iterdir())) == 4
    # As an earlier version of this suite left it.
    (earlier / "000009.json").write_bytes((earlier / "000002.json").read_bytes())
    assert sorted(run.seed for run in kept.load_set("main")) == [1, 2, 3, 4, 5]


def test_the_same_run_saved_again_is_one_run(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    for seed in (1, 2, 2):
        kept.save("main", of_commit("abc", seed), [])
    assert [run.seed for run in kept.load_set("main")] == [1, 2]
