"""A terminal that is given the state at any byte equals one that saw everything: cells, cursor, modes; also later."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence

import pytest

from tests.server.screen import recordings, streams
from tests.server.screen.oracle import FRONTEND, Event, Oracle

# One process of Node and one set of recordings serve all tests here.
pytestmark = pytest.mark.xdist_group("screen")

CUTS = 20
SCROLLBACK = 200
KINDS = sorted(streams.KINDS)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Event]]:
    return recordings.record_all(recordings.available(), tmp_path_factory.mktemp("home"))


def cuts_of(events: Sequence[Event], seed: int, count: int = CUTS) -> list[int]:
    length = sum(len(event) for event in events if isinstance(event, bytes))
    return random.Random(seed).sample(range(length + 1), min(count, length))


def failures(oracle: Oracle, events: Sequence[Event], seed: int, **options: bool) -> list[tuple[int, list[str]]]:
    found = oracle.restores(events, cuts_of(events, seed), recordings.SIZE, SCROLLBACK, **options)
    assert len(found) == min(CUTS, sum(len(event) for event in events if isinstance(event, bytes)))
    return [each for each in found if each[1]]


def test_the_oracle_is_the_version_of_the_page():
    headless = json.loads((FRONTEND / "node_modules/@xterm/headless/package.json").read_text())
    page = json.loads((FRONTEND / "node_modules/@xterm/xterm/package.json").read_text())
    assert headless["version"] == page["version"]


@pytest.mark.parametrize("program", [program.name for program in recordings.PROGRAMS])
def test_output_of_real_programs(oracle, recorded, program):
    if program not in recorded:
        pytest.skip(f"{program.split()[0]} is not installed")
    assert len(b"".join(each for each in recorded[program] if isinstance(each, bytes))) > 1000
    assert failures(oracle, recorded[program], 1) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_sequence(oracle, kind):
    assert failures(oracle, streams.of_kind(kind, 0), 2) == []


@pytest.mark.parametrize("kind", ["lines", "coloured", "long_line", "saves", "region", "strings", "tabs", "protects"])
def test_output_during_which_the_size_changes(oracle, kind):
    assert failures(oracle, streams.with_resizes(streams.of_kind(kind, 1), 3), 4) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_is_written_and_read_again_and_again(oracle, kind):
    assert failures(oracle, streams.of_kind(kind, 5), 6, parks=True) == []
