"""The documentation says what there is, and its example works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.load.test_coordinator import collected, failed_operations, load_of
from web_terminal_suite.bench.load.metrics import LEVEL_METRICS, STATISTICS, TIMED_OPERATIONS
from web_terminal_suite.bench.load.scenario import LoadStage, Role, override, parse
from web_terminal_suite.bench.load.thresholds import parse as parse_threshold
from web_terminal_suite.bench.pipeline.options import OutputProfile
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal

TEXT = (Path(__file__).parents[3] / "docs/load.md").read_text()
(EXAMPLE,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_every_metric_role_and_field_has_its_line():
    named = set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)))
    assert set(LEVEL_METRICS) <= named
    assert {f"keystroke.{STATISTICS[1]}", *(f".{each}" for each in STATISTICS if each != "p50")} <= named
    assert {f"{each.kind}.…" for each in TIMED_OPERATIONS if each.kind != "keystroke"} <= named
    assert {str(role) for role in Role} <= named
    assert set(LoadStage.__struct_fields__) <= named
    assert {f"--output {each}" for each in OutputProfile if each is not OutputProfile.NONE} <= named


def test_thresholds_in_the_text_are_thresholds():
    found = re.findall(r"--expect '([^']+)'", TEXT)
    assert len(found) >= 2
    for text in found:
        if not text.startswith("METRIC"):
            parse_threshold(text)


def test_the_example_has_every_role_and_its_thresholds_parse():
    scenario = parse(EXAMPLE, "the example")
    assert scenario.roles == set(Role)
    for text in (*scenario.expect, *(text for stage in scenario.stage for text in stage.expect)):
        parse_threshold(text)


@pytest.mark.parametrize("seconds", [2.0])
async def test_the_example_can_be_played(seconds):
    quick = override(parse(EXAMPLE, "the example"), {"duration": seconds, "ramp": 60.0, "reconnect_every": 2.0}, {})
    load = load_of(*quick.stage)
    collector = await collected(load, WebTerminal())
    assert [progress.up for progress in collector.stages] == [40, 60]
    assert failed_operations(collector) == []
    assert (collector.lost, collector.failures, collector.not_ended) == ([], [], 0)
    counts = {key: sum(len(batch.due) // 8 for batch in batches) for key, batches in collector.batches.items()}
    assert counts[0, "keystroke"] == 60 * seconds
    assert counts[1, "keystroke"] == 120 * seconds
    assert counts[1, "reconnect"] == 4
