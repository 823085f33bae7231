"""Baselines: what the flags mean, names, and files that are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.comparisons import measured
from web_terminal_suite.bench import baselines, record
from web_terminal_suite.bench.baselines import BaselineError, Baselines, Choice, choose

NAMES = st.from_regex(baselines.NAME, fullmatch=True)


@pytest.mark.parametrize(
    ("flags", "choice"),
    [
        ({}, Choice("base", save_as="base")),
        ({"save": "x"}, Choice("x", save_as="x")),
        ({"baseline": "x"}, Choice("x", must_exist=True)),
        ({"lenient": "x"}, Choice("x")),
        ({"retain": True}, Choice("base", must_exist=True)),
        ({"discard": True}, Choice("base")),
        ({"baseline": "x", "load": "y"}, Choice("x", must_exist=True, load="y")),
        ({"lenient": "x", "load": "y"}, Choice("x", load="y")),
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
