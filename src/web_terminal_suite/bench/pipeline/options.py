"""What a run is asked to do, as frozen values that check themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench import plan
from web_terminal_suite.bench.analysis.comparison.results import Terms
from web_terminal_suite.bench.baselines import HOME, LAST, Baselines, Choice, choose
from web_terminal_suite.bench.errors import OptionsError

if TYPE_CHECKING:
    from web_terminal_suite.bench.load.scenario import Scenario

_CONFIDENCE: Final = (0.5, 0.9999)


class OutputProfile(StrEnum):
    """What the sessions of a load print."""

    NONE = "none"
    STEADY = "steady"
    BURSTS = "bursts"
    FLOOD = "flood"


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What ``run`` measures. ``None`` stands for the default, which is smaller with ``quick``.

    Raises:
        OptionsError: a value is out of its range.
    """

    filters: tuple[str, ...] = ()
    """Regular expressions on ``suite/benchmark/parameter``; without any every benchmark."""
    terminals: tuple[str, ...] = ()
    """Names of terminals to start, or ``all``; ours where there are neither these nor ``urls``."""
    urls: tuple[str, ...] = ()
    """Servers that run already: ``URL`` of ours, ``NAME=URL`` of another."""
    token: str = ""
    """For URLs without one."""
    quick: bool = False
    full: bool = False
    """Also the parameters that take minutes."""
    sample_size: int | None = None
    warm_up_seconds: float | None = None
    measurement_seconds: float | None = None
    blocks: int | None = None
    precision: float | None = None
    """Measure until the interval over its estimate is this narrow, or the time is up."""
    adaptive: bool = True
    """Fewer operations of what is decided early, more of what is not."""
    confidence_level: float = 0.95
    seed: int | None = None
    """``None`` draws one."""
    self_check: bool = False
    """Measure one terminal as if it were two."""
    extensions: tuple[Path, ...] = ()
    """Files that declare further benchmarks and terminals; those of installed packages are always there."""
    network: str = ""
    """What clients reach the terminals through: a profile, or values such as ``rtt=100ms,loss=1%``."""

    def __post_init__(self) -> None:
        _check_range("sample_size", self.sample_size, 1)
        _check_range("warm_up_seconds", self.warm_up_seconds, 0)
        _check_range("measurement_seconds", self.measurement_seconds, 0)
        _check_range("blocks", self.blocks, 1)
        _check_range("precision", self.precision, 0.001, 10)
        _check_range("confidence_level", self.confidence_level, *_CONFIDENCE)

    def resolved(self, seed: int) -> plan.Options:
        """How much to measure, with every default filled in."""
        given = {
            "sample_size": self.sample_size,
            "warm_up_seconds": self.warm_up_seconds,
            "measurement_seconds": self.measurement_seconds,
            "confidence_level": self.confidence_level,
            "seed": seed,
            "blocks": self.blocks,
            "precision": self.precision,
            "full": self.full,
            "adaptive": self.adaptive,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(plan.QUICK if self.quick else plan.Options(), **chosen)  # type: ignore[arg-type]  # names and types are those of the fields above


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What ``run_load`` does. ``None`` stands for what the scenario says, or for the default where there is none.

    Shares (``active``, ``emitting``, ``reconnecting``, ``resizing``) are written ``50%``, ``0.5``, or ``3`` sessions.

    Raises:
        OptionsError: a value is out of its range.
    """

    scenario: Scenario | Path | None = None
    """Stages and mixes; the fields below replace what they say."""
    sessions: int | None = None
    ramp: float | None = None
    """Sessions that arrive in a second."""
    duration: float | None = None
    """Seconds, once all have arrived."""
    typing: float | None = None
    """Keys a second, of all who type together."""
    active: str | None = None
    """Share of the sessions that are typed in."""
    output: OutputProfile | None = None
    emitting: str | None = None
    """Share of the sessions that print."""
    lines: float | None = None
    """Lines a second of a steady session."""
    reconnecting: str | None = None
    resizing: str | None = None
    mix: tuple[str, ...] = ()
    """Roles with their shares, such as ``resize=5%``; also behaviours of ``extensions``."""
    extensions: tuple[Path, ...] = ()
    """Files that declare further behaviours and terminals; those of installed packages are always there."""
    thresholds: tuple[str, ...] = ()
    """Such as ``keystroke.p95<2ms``."""
    abort_on_fail: bool = False
    """End the load as soon as a threshold can no longer be met."""
    seed: int | None = None
    """``None`` draws one, unless the scenario has one."""
    terminal: str = ""
    url: str = ""
    token: str = ""
    clients: int | None = None
    """Client processes."""
    addresses: int | None = None
    """Loopback addresses to dial from."""
    scheduler: str = ""
    """Address of a Dask scheduler, on whose workers the clients run."""
    confidence_level: float = 0.95
    network: str = ""
    """What clients reach the terminal through: a profile, or values such as ``rtt=100ms,loss=1%``."""

    def __post_init__(self) -> None:
        for name in ("sessions", "clients", "addresses"):
            _check_range(name, getattr(self, name), 1)
        for name in ("ramp", "duration", "lines"):
            _check_range(name, getattr(self, name), 0.001)
        _check_range("typing", self.typing, 0)
        _check_range("confidence_level", self.confidence_level, *_CONFIDENCE)


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """What a run is compared with, and what is kept of it."""

    home: Path = HOME
    """Where baselines and history are."""
    choice: Choice = field(default_factory=choose)
    """Baseline to compare with, to save as, to load."""
    terms: Terms = field(default_factory=Terms)
    """What the comparison goes by."""
    force: bool = False
    """Compare with a baseline of another machine."""
    history: bool = True
    """Add the run to the history."""
    complete: bool = True
    """The run has every benchmark, so a comparison lists those that are missing."""

    @property
    def is_explicit(self) -> bool:
        """A comparison was asked for by name; only then does something slower change the exit status."""
        return self.choice.is_named or self.choice.must_exist or self.choice.compare_with != LAST

    @property
    def baselines(self) -> Baselines:
        return Baselines(self.home)


def _check_range(name: str, value: float | None, least: float, most: float = float("inf")) -> None:
    if value is not None and not least <= value <= most:
        limits = f"at least {least:g}" if most == float("inf") else f"from {least:g} to {most:g}"
        raise OptionsError(f"{name} is {value:g}; it must be {limits}")
