"""Counters that workers share, and the metrics made of them."""

from __future__ import annotations

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from web_terminal_suite.server.ipc import StatsReply
from web_terminal_suite.server.worker.counters import NAMES, ROWS, Counters, counters_memory
from web_terminal_suite.server.worker.http.metrics import exposition


@pytest.fixture
def memory():
    fd = counters_memory()
    yield fd
    os.close(fd)


def test_the_names_are_the_positions():
    for at, name in enumerate(NAMES):
        assert getattr(Counters, name.upper()) == at


def test_every_workers_row_is_in_the_totals(memory):
    first, second = Counters(memory, 1), Counters(memory, 2)
    first.row[Counters.INPUT_BYTES] += 5
    second.row[Counters.INPUT_BYTES] += 2**60
    second.row[Counters.ERRORS] += 1
    totals = Counters(memory, 3).totals()
    assert (totals["input_bytes"], totals["errors"], totals["gaps"]) == (5 + 2**60, 1, 0)
    assert set(totals) == set(NAMES)


def test_a_worker_that_takes_a_dead_ones_row_goes_on_counting_but_has_no_connections(memory):
    dead = Counters(memory, 5)
    dead.row[Counters.CONNECTIONS_OPENED] += 10
    dead.row[Counters.CONNECTIONS_CLOSED] += 4
    dead.row[Counters.OUTPUT_BYTES] += 7
    heir = Counters(memory, 5 + ROWS)
    totals = heir.totals()
    assert totals["connections_opened"] - totals["connections_closed"] == 0
    assert totals["output_bytes"] == 7


def test_the_exposition_is_what_prometheus_reads(memory):
    counters = Counters(memory, 1)
    counters.row[Counters.CONNECTIONS_OPENED] += 9
    counters.row[Counters.CONNECTIONS_CLOSED] += 2
    counters.row[Counters.GAPS] += 3
    counted = StatsReply(id=1, states={"running": 4, "ended": 1}, created=6, failed=5, expired=8)
    text = exposition([counted], counters.totals()).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert values["web_terminal_sessions", ("running",)] == 4
    assert values["web_terminal_sessions", ("ended",)] == 1
    assert values["web_terminal_sessions_created_total", ()] == 6
    assert values["web_terminal_spawn_failures_total", ()] == 5
    assert values["web_terminal_sessions_expired_total", ()] == 8
    assert values["web_terminal_connections", ()] == 7
    assert values["web_terminal_gaps_total", ()] == 3
    assert all(family.documentation for family in families.values())
    types = {name: family.type for name, family in families.items()}
    assert {types["web_terminal_sessions"], types["web_terminal_connections"]} == {"gauge"}
    assert types["web_terminal_gaps"] == "counter"
    # Every counter is told, none twice.
    assert len(values) == 2 + 5 + 1 + len(NAMES) - 2
