"""What a run of ``bench`` is compared with, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from web_terminal_suite.cli import parameters

if TYPE_CHECKING:
    from web_terminal_suite.bench.pipeline import StorageOptions

baselines = parameters.group(
    parameters.baseline("--save-baseline", "Compare with NAME if it is there, and save as NAME. (default: base)"),
    parameters.baseline("--baseline", "Compare with NAME, save nothing."),
    parameters.baseline("--baseline-lenient", "As --baseline, if NAME is there."),
    parameters.baseline("--load-baseline", "Take NAME for the new run and measure nothing."),
    parameters.flag("--retain-baseline", "Compare with the last run saved, and keep that."),
    parameters.flag("--discard-baseline", "As --retain-baseline, if there is one."),
)
comparison = parameters.group(
    parameters.noise_threshold("Relative difference from a baseline that does not matter."),
    parameters.significance_level("Probability of a false alarm in any row of a comparison."),
    parameters.resamples("Resamples behind every ratio to a baseline."),
    parameters.flag("--self-check", "Measure one terminal as two and state the false alarms."),
)


_MEASURING = (
    "quick",
    "full",
    "sample_size",
    "warm_up_time",
    "measurement_time",
    "seed",
    "blocks",
    "precision",
    "fixed",
    "terminal",
    "url",
    "network",
    "profile",
)
"""Flags that say how to measure, by the names of their parameters."""


def storage_options(flags: dict[str, Any]) -> StorageOptions:
    """What the flags ask to be compared and kept.

    Raises:
        OptionsError, BaselineError: flags that exclude each other, or values out of range.
    """
    from web_terminal_suite.bench.pipeline import OptionsError, StorageOptions, choose, home

    choice = choose(
        save=flags["save_baseline"],
        baseline=flags["baseline"],
        lenient=flags["baseline_lenient"],
        load=flags["load_baseline"],
        retain=flags["retain_baseline"],
        discard=flags["discard_baseline"],
    )
    if flags["self_check"] and choice != choose():
        raise OptionsError("--self-check compares a terminal with itself and takes no baseline")
    if choice.load:
        _check_loaded(flags)
    return StorageOptions(
        home=home(flags["home"]),
        choice=choice,
        terms=parameters.terms(
            level=flags["confidence_level"],
            significance=flags["significance_level"],
            noise=flags["noise_threshold"],
            resamples=flags["nresamples"],
        ),
        force=flags["force"],
        history=not flags["no_history"],
        complete=not flags["filters"] and not flags["quick"],
    )


def _check_loaded(flags: dict[str, Any]) -> None:
    """Refuse what selects or measures next to a saved run: it would be ignored, and what it left out would be hidden.

    Raises:
        OptionsError
    """
    from web_terminal_suite.bench.pipeline import OptionsError

    # A zero is given, though it equals False.
    given = [
        f"--{name.replace('_', '-')}" for name in _MEASURING if not (flags[name] in (None, ()) or flags[name] is False)
    ]
    if flags["runs"] > 1:
        given.append("--runs")
    if flags["filters"]:
        given.insert(0, f"the filter {flags['filters'][0]!r}")
    if given:
        raise OptionsError(f"--load-baseline measures nothing and compares all that was saved; leave out {given[0]}")
