"""Scenarios from TOML and from flags: what they mean, and the errors of those that are invalid."""

from __future__ import annotations

import re

import pytest

from web_terminal_suite.bench.load.scenario import (
    NO_SESSIONS,
    LoadStage,
    Role,
    RoleShare,
    Scenario,
    ScenarioError,
    override,
    parse,
    parse_share,
)

MORNING = """
name = "morning"
seed = 7
expect = ["errors<1%"]

[[stage]]
name = "arrival"
sessions = 50
ramp = 25
typing = 20
mix = { type = 0.5 }

[[stage]]
sessions = 100
duration = 5
expect = ["keystroke.p95<20ms"]

[stage.mix]
type = "25%"
flood = 1
"""


def test_a_file_is_stages_with_mixes():
    found = parse(MORNING, "morning.toml")
    first, second = found.stage
    assert (found.name, found.seed, found.expect) == ("morning", 7, ("errors<1%",))
    assert (first.sessions, first.ramp, first.duration, first.typing) == (50, 25.0, 30.0, 20.0)
    assert first.mix == {Role.TYPE: RoleShare(fraction=0.5)}
    assert second.mix == {Role.TYPE: RoleShare(fraction=0.25), Role.FLOOD: RoleShare(count=1)}
    assert second.expect == ("keystroke.p95<20ms",)
    assert found.sessions == 100
    assert found.roles == {Role.TYPE, Role.FLOOD}
    assert found.parameters == ("morning: arrival", "morning: 100 sessions, flood 1")


@pytest.mark.parametrize(
    ("text", "of_ten", "of_none"),
    [
        ("50%", 5, 0), (0.25, 2, 0), ("0.01", 1, 0), (3, 3, 0), ("3", 3, 0),
        (1.0, 10, 0), (1, 1, 0), (0, 0, 0), ("0%", 0, 0), (99, 10, 0),
    ],
)  # fmt: skip
def test_a_share_is_a_fraction_or_a_count(text, of_ten, of_none):
    assert parse_share(text).of(10) == of_ten
    assert parse_share(text).of(0) == of_none


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("half", "'half' is not a share"), ("-1", "not a share"), ("101%", "more than all"), (1.5, "more than all"),
        ("", "not a share"), ("5 sessions", "not a share"),
    ],
)  # fmt: skip
def test_an_invalid_share_says_what_is_accepted(text, complaint):
    with pytest.raises(ScenarioError, match=complaint) as caught:
        parse_share(text)
    assert "a number of sessions (3)" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "missing required field `stage`"),
        ("stage = []", "a scenario needs a [[stage]]"),
        ("[[stage]", "line 1"),
        ("speed = 3\n[[stage]]\nsessions = 1", "unknown field `speed`; there are: stage, name, seed, expect"),
        ("[[stage]]\nsessions = 1\nrate = 3", "unknown field `rate` - at `stage[0]`; there are: sessions, ramp"),
        ("[[stage]]\nsessions = 0", "sessions = 0; 1 to 1000000"),
        ("[[stage]]\nsessions = 'ten'", "Expected `int`, got `str` - at `stage[0].sessions`"),
        ("[[stage]]\nsessions = 1\nramp = 0", "ramp = 0; it must be above 0"),
        ("[[stage]]\nsessions = 1\nduration = inf", "duration = inf"),
        ("[[stage]]\nsessions = 1\ntyping = -1", "typing = -1; it must be 0 or more"),
        ("[[stage]]\nsessions = 1\ntyping = 1", "typing = 1 and no session types"),
        ("[[stage]]\nsessions = 1\nmix = {types = 1}", "roles are: type, steady, bursts, flood, reconnect, resize"),
        ("[[stage]]\nsessions = 1\nmix = {type = 'x'}", "'x' is not a share"),
        ("[[stage]]\nsessions = 3\nmix = {type = 3, flood = 1}", "asks for 4 of 3 sessions: type 3, flood 1"),
        ("[[stage]]\nsessions = 1\nlines = 0.01", "at most 25.5 s"),
        ("[[stage]]\nsessions = 1\nburst_every = 60", "burst_every = 60; a shell prints at intervals"),
        ("[[stage]]\nsessions = 1\nburst_lines = 0", "a burst has at least 1"),
        (
            "[[stage]]\nsessions = 2\n[[stage]]\nsessions = 1",
            "1 sessions after 2; sessions end only after the last stage",
        ),
        ("[[stage]]\nsessions = 2\n[[stage]]\nsessions = 2", "two stages are called '2 sessions'"),
    ],
)
def test_an_invalid_scenario_says_where_and_what_is_accepted(text, complaint):
    with pytest.raises(ScenarioError, match=re.escape(complaint)) as caught:
        parse(text, "a.toml")
    assert str(caught.value).startswith("a.toml: ")


def test_flags_replace_what_every_stage_says():
    found = override(parse(MORNING, "m"), {"duration": 2.0, "sessions": 60}, {Role.TYPE: RoleShare(count=2)})
    assert [each.duration for each in found.stage] == [2.0, 2.0]
    assert [each.sessions for each in found.stage] == [60, 60]
    assert [each.share_of(Role.TYPE).of(60) for each in found.stage] == [2, 2]
    assert found.stage[1].share_of(Role.FLOOD).of(60) == 1
    with pytest.raises(ScenarioError, match="asks for 4 of 3"):
        override(parse(MORNING, "m"), {"sessions": 3}, {Role.TYPE: RoleShare(count=3)})


def test_a_stage_without_a_name_is_described():
    stage = LoadStage(
        sessions=4000,
        typing=200,
        mix={Role.TYPE: RoleShare(fraction=0.5), Role.FLOOD: parse_share("2"), Role.STEADY: NO_SESSIONS},
    )
    assert stage.label == "4,000 sessions, 200 keys/s, flood 2"
    assert Scenario(stage=(stage,)).parameters == (stage.label,)
