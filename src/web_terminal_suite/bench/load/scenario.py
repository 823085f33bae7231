"""A scenario: stages of virtual users, and the mix of roles in each. From a file or from flags; pure.

A *stage* ramps up to its number of sessions at its rate and then lasts for its duration. Its *mix* says how many
sessions have which *role*; the others are idle. ``docs/load.md`` describes every field.
"""

from __future__ import annotations

import itertools
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from web_terminal_suite.bench.load.paced_output import LONGEST_INTERVAL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_SESSIONS: Final = 1_000_000
"""The design is untested beyond that: the numbers of all sessions with a role are held in memory and sent."""


class ScenarioError(ValueError):
    """A scenario that cannot be played; the text names the field and what is accepted."""


class Role(StrEnum):
    """What a virtual user does during a stage."""

    TYPE = "type"
    STEADY = "steady"
    BURSTS = "bursts"
    FLOOD = "flood"
    RECONNECT = "reconnect"
    RESIZE = "resize"


OUTPUT_ROLES: Final = (Role.STEADY, Role.BURSTS, Role.FLOOD)


class RoleShare:
    """Some of the sessions: a ``fraction`` of all, or if that is ``None`` a ``count``. Immutable by convention."""

    # Not a Struct: msgspec reads those from tables, and a share is written as a number or a string.
    __slots__ = ("count", "fraction")

    def __init__(self, fraction: float | None = None, count: int = 0) -> None:
        self.fraction = fraction
        self.count = count

    def of(self, sessions: int) -> int:
        """How many of ``sessions`` that is: at least one for any fraction above 0, at most all."""
        return min(self.requested(sessions), sessions)

    def requested(self, sessions: int) -> int:
        """As ``of``, but a count may exceed ``sessions``."""
        if self.fraction is None:
            return self.count
        return max(1, round(self.fraction * sessions)) if self.fraction else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RoleShare) and (self.fraction, self.count) == (other.fraction, other.count)

    def __hash__(self) -> int:
        return hash((self.fraction, self.count))

    def __str__(self) -> str:
        return str(self.count) if self.fraction is None else f"{self.fraction * 100:g} %"


NO_SESSIONS: Final = RoleShare()


def parse_share(text: str | float) -> RoleShare:
    """``0.25`` and ``"25%"`` are a fraction, ``3`` and ``"3"`` a count; so ``1`` is one session, ``1.0`` is all.

    Raises:
        ScenarioError
    """
    accepted = 'a fraction (0.25 or "25%") or a number of sessions (3)'
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", str(text))
    if found is None:
        raise ScenarioError(f"{text!r} is not a share of the sessions; write {accepted}")
    number, percent = found.groups()
    if not percent and "." not in number:
        return RoleShare(count=int(number))
    fraction = float(number) / (100 if percent else 1)
    if fraction > 1:
        raise ScenarioError(f"{text} is more than all of the sessions; write {accepted}")
    return RoleShare(fraction)


class LoadStage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage. Rates are per second, durations in seconds; ``typing`` is the rate of all typists together."""

    sessions: int
    ramp: float = 100.0
    duration: float = 30.0
    name: str = ""
    typing: float = 0.0
    mix: dict[str, RoleShare] = {}
    lines: float = 1.0
    burst_lines: int = 100
    burst_every: float = 5.0
    reconnect_every: float = 10.0
    resize_every: float = 5.0
    every: dict[str, float] = {}
    """By behaviour that is not built in, seconds between two operations of a session."""
    expect: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.sessions <= MOST_SESSIONS:
            raise ScenarioError(f"sessions = {self.sessions}; 1 to {MOST_SESSIONS} can be asked for")
        for name in ("ramp", "duration", "lines", "burst_every", "reconnect_every", "resize_every"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ScenarioError(f"{name} = {getattr(self, name):g}; it must be above 0")
        for name, seconds in self.every.items():
            if not 0 < seconds < float("inf"):
                raise ScenarioError(f"every.{name} = {seconds:g}; it must be above 0")
        if not 0 <= self.typing < float("inf"):
            raise ScenarioError(f"typing = {self.typing:g}; it must be 0 or more keys per second")
        if self.burst_lines < 1:
            raise ScenarioError(f"burst_lines = {self.burst_lines}; a burst has at least 1")
        for name, seconds in (("burst_every", self.burst_every), ("lines", 1 / self.lines)):
            if seconds > LONGEST_INTERVAL_SECONDS:
                limit = f"a shell prints at intervals of at most {LONGEST_INTERVAL_SECONDS} s"
                raise ScenarioError(f"{name} = {getattr(self, name):g}; {limit}")
        if self.typing and not self.share_of(Role.TYPE).of(self.sessions):
            raise ScenarioError(f"typing = {self.typing:g} and no session types; give the mix a share: type = 0.5")
        requested = {role: each.requested(self.sessions) for role, each in self.mix.items()}
        if sum(requested.values()) > self.sessions:
            words = ", ".join(f"{role} {count}" for role, count in requested.items() if count)
            raise ScenarioError(f"the mix asks for {sum(requested.values())} of {self.sessions} sessions: {words}")

    def share_of(self, role: str) -> RoleShare:
        return self.mix.get(role, NO_SESSIONS)

    @property
    def label(self) -> str:
        """The stage in a report: its name, or a description."""
        if self.name:
            return self.name
        words = [f"{self.sessions:,} sessions"]
        if self.typing:
            words.append(f"{self.typing:g} keys/s")
        words += [f"{role} {each}" for role, each in self.mix.items() if role != Role.TYPE and each != NO_SESSIONS]
        return ", ".join(words)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All stages of a load. ``name`` is in every row of its results, so that only equal scenarios are compared."""

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
                    "sessions end only after the last stage"
                )
        labels = [each.label for each in self.stage]
        duplicate = next((label for label in labels if labels.count(label) > 1), None)
        if duplicate is not None:
            raise ScenarioError(f"two stages are called {duplicate!r}; give each a different name")

    @property
    def sessions(self) -> int:
        """The maximum number of concurrent sessions."""
        return self.stage[-1].sessions

    @property
    def parameters(self) -> tuple[str, ...]:
        """The name of each stage in the results."""
        return tuple(f"{self.name}: {each.label}" if self.name else each.label for each in self.stage)

    @property
    def roles(self) -> frozenset[str]:
        """Every role that a session has in any stage."""
        return frozenset(role for each in self.stage for role, share in each.mix.items() if share.of(each.sessions))


def parse(text: str, where: str, behaviours: Collection[str] = ()) -> Scenario:
    """The scenario in a TOML file's text; ``behaviours`` are the names of roles that are not built in.

    Raises:
        ScenarioError: the text starts with ``where``.
    """
    try:
        found = msgspec.toml.decode(text)
        scenario = msgspec.convert(found, Scenario, dec_hook=_decode_share)
        check_roles(scenario, behaviours)
        return scenario
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise ScenarioError(f"{where}: {_with_remedy(str(error))}") from error


def check_roles(scenario: Scenario, behaviours: Collection[str]) -> None:
    """Refuse roles that there are not.

    Raises:
        ScenarioError
    """
    known = [*map(str, Role), *behaviours]
    for stage in scenario.stage:
        for role in stage.mix:
            if role not in known:
                raise ScenarioError(
                    f"there is no role {str(role)!r}; roles are: {', '.join(known)}; "
                    "a file with a behaviour of your own is named with --extension"
                )
        for name in stage.every:
            if name not in behaviours:
                raise ScenarioError(f"every.{name}: there is no behaviour {name!r} of an extension")


def override(scenario: Scenario, flags: dict[str, Any], mix: dict[str, RoleShare]) -> Scenario:
    """The scenario in which ``flags`` (fields of a stage) and ``mix`` replace the values of every stage.

    Raises:
        ScenarioError
    """
    stages = tuple(
        msgspec.structs.replace(each, **flags, mix={**each.mix, **mix}) if flags or mix else each
        for each in scenario.stage
    )
    return msgspec.structs.replace(scenario, stage=stages)


def _with_remedy(text: str) -> str:
    """An error of msgspec with what is accepted; msgspec writes a path as `$.stage[0].ramp`."""
    text = text.replace("`$", "`").replace("`.", "`").replace(" - at ``", "")
    if "unknown field" in text:
        of = LoadStage if "`stage[" in text else Scenario
        return f"{text}; there are: {', '.join(of.__struct_fields__)}"
    return text


def _decode_share(kind: type, value: Any) -> Any:
    if kind is RoleShare:
        return parse_share(value)
    raise NotImplementedError(kind)
