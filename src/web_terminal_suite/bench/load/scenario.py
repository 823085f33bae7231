"""What a load is: stages of sessions, and what their owners do. From a file or from flags; pure.

A *stage* adds sessions up to its number, at its rate, and then lasts for its duration. Its *mix* says how many of them
have which *role*; the others idle. Every field is described in ``docs/load.md``.
"""

from __future__ import annotations

import itertools
import re
from enum import StrEnum
from typing import Any, Final

import msgspec

from web_terminal_suite.bench.load.paced_output import LONGEST_BEAT_SECONDS

MOST_SESSIONS: Final = 1_000_000
"""More have not been thought about: indexes of all of them are sent to every shard."""


class ScenarioError(ValueError):
    """A scenario that cannot be played; the text names the field and what would do."""


class Role(StrEnum):
    """What a session is for during a stage."""

    TYPE = "type"
    STEADY = "steady"
    BURSTS = "bursts"
    FLOOD = "flood"
    RECONNECT = "reconnect"
    RESIZE = "resize"


EMITTING: Final = (Role.STEADY, Role.BURSTS, Role.FLOOD)


class RoleShare:
    """Some of the sessions: a ``part`` of all, or where that is ``None`` a ``count``. Immutable by convention."""

    # No Struct: those are read from tables, and a share is written as a number or a word.
    __slots__ = ("count", "part")

    def __init__(self, part: float | None = None, count: int = 0) -> None:
        self.part = part
        self.count = count

    def of(self, sessions: int) -> int:
        """How many that is; of any part at least one, where there is one."""
        return min(self.asked(sessions), sessions)

    def asked(self, sessions: int) -> int:
        """As ``of``, however many there are."""
        if self.part is None:
            return self.count
        return max(1, round(self.part * sessions)) if self.part else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RoleShare) and (self.part, self.count) == (other.part, other.count)

    def __hash__(self) -> int:
        return hash((self.part, self.count))

    def __str__(self) -> str:
        return str(self.count) if self.part is None else f"{self.part * 100:g} %"


NOBODY: Final = RoleShare()


def share(text: str | float) -> RoleShare:
    """``0.25`` and ``"25%"`` are a part, ``3`` and ``"3"`` a number of sessions; so ``1`` is one, ``1.0`` all.

    Raises:
        ScenarioError
    """
    how = 'a part (0.25 or "25%") or a number of sessions (3)'
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", str(text))
    if found is None:
        raise ScenarioError(f"{text!r} is no share of the sessions; write {how}")
    number, percent = found.groups()
    if not percent and "." not in number:
        return RoleShare(count=int(number))
    part = float(number) / (100 if percent else 1)
    if part > 1:
        raise ScenarioError(f"{text} is more than all of the sessions; write {how}")
    return RoleShare(part)


class LoadStage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the load. Rates a second, durations in seconds; ``typing`` is of all typists together."""

    sessions: int
    ramp: float = 100.0
    duration: float = 30.0
    name: str = ""
    typing: float = 0.0
    mix: dict[Role, RoleShare] = {}
    lines: float = 1.0
    burst_lines: int = 100
    burst_every: float = 5.0
    reconnect_every: float = 10.0
    resize_every: float = 5.0
    expect: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.sessions <= MOST_SESSIONS:
            raise ScenarioError(f"sessions = {self.sessions}; 1 to {MOST_SESSIONS} can be asked for")
        for name in ("ramp", "duration", "lines", "burst_every", "reconnect_every", "resize_every"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ScenarioError(f"{name} = {getattr(self, name):g}; it must be above 0")
        if not 0 <= self.typing < float("inf"):
            raise ScenarioError(f"typing = {self.typing:g}; it must be 0 or more keys a second")
        if self.burst_lines < 1:
            raise ScenarioError(f"burst_lines = {self.burst_lines}; a burst has at least 1")
        for name, seconds in (("burst_every", self.burst_every), ("lines", 1 / self.lines)):
            if seconds > LONGEST_BEAT_SECONDS:
                limit = f"a shell's own pace is at most {LONGEST_BEAT_SECONDS} s from line to line"
                raise ScenarioError(f"{name} = {getattr(self, name):g}; {limit}")
        if self.typing and not self.share_of(Role.TYPE).of(self.sessions):
            raise ScenarioError(f"typing = {self.typing:g} and nobody to type; give the mix somebody: type = 0.5")
        asked = {role: each.asked(self.sessions) for role, each in self.mix.items()}
        if sum(asked.values()) > self.sessions:
            words = ", ".join(f"{role} {count}" for role, count in asked.items() if count)
            raise ScenarioError(f"the mix asks for {sum(asked.values())} of {self.sessions} sessions: {words}")

    def share_of(self, role: Role) -> RoleShare:
        return self.mix.get(role, NOBODY)

    @property
    def label(self) -> str:
        """What a report calls it: its name, or what it does."""
        if self.name:
            return self.name
        words = [f"{self.sessions:,} sessions"]
        if self.typing:
            words.append(f"{self.typing:g} keys/s")
        words += [f"{role} {each}" for role, each in self.mix.items() if role is not Role.TYPE and each != NOBODY]
        return ", ".join(words)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole load. ``name`` is in every row of its results, so that only like is compared with like."""

    stage: tuple[LoadStage, ...]
    name: str = ""
    seed: int | None = None
    expect: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.stage:
            raise ScenarioError("a scenario needs a [[stage]]")
        for before, each in itertools.pairwise(self.stage):
            if each.sessions < before.sessions:
                raise ScenarioError(
                    f"stage {each.label!r} has {each.sessions} sessions after {before.sessions}; "
                    "sessions only leave at the end"
                )
        labels = [each.label for each in self.stage]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ScenarioError(f"two stages are called {twice!r}; give each a name of its own")

    @property
    def sessions(self) -> int:
        """The most there are at once."""
        return self.stage[-1].sessions

    @property
    def parameters(self) -> tuple[str, ...]:
        """What each stage is called in the results."""
        return tuple(f"{self.name}: {each.label}" if self.name else each.label for each in self.stage)

    @property
    def roles(self) -> frozenset[Role]:
        """Every role that somebody has in some stage."""
        return frozenset(role for each in self.stage for role, some in each.mix.items() if some.of(each.sessions))


def parse(text: str, where: str) -> Scenario:
    """The scenario in a TOML file's text.

    Raises:
        ScenarioError: with ``where`` in front.
    """
    try:
        found = msgspec.toml.decode(text)
        return msgspec.convert(found, Scenario, dec_hook=_share_from)
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise ScenarioError(f"{where}: {_in_words(str(error))}") from error


def overridden(scenario: Scenario, flags: dict[str, Any], mix: dict[Role, RoleShare]) -> Scenario:
    """The scenario with ``flags`` (fields of a stage) and ``mix`` in place of what every stage says.

    Raises:
        ScenarioError
    """
    stages = tuple(
        msgspec.structs.replace(each, **flags, mix={**each.mix, **mix}) if flags or mix else each
        for each in scenario.stage
    )
    return msgspec.structs.replace(scenario, stage=stages)


def _in_words(text: str) -> str:
    """What msgspec says, with what would do; it writes a place as `$.stage[0].ramp`."""
    text = text.replace("`$", "`").replace("`.", "`").replace(" - at ``", "")
    if "unknown field" in text:
        of = LoadStage if "`stage[" in text else Scenario
        return f"{text}; there are: {', '.join(of.__struct_fields__)}"
    if "enum value" in text:
        return f"{text}; roles are: {', '.join(Role)}"
    return text


def _share_from(kind: type, value: Any) -> Any:
    if kind is RoleShare:
        return share(value)
    raise NotImplementedError(kind)
