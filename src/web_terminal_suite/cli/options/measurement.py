"""How much ``bench`` measures, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import parameters

if TYPE_CHECKING:
    from web_terminal_suite.bench.pipeline import BenchOptions

_AT_LEAST_ONE = click.IntRange(min=1)
_NOT_NEGATIVE = click.FloatRange(min=0)

amount = parameters.group(
    parameters.flag("--quick", "Fewer and shorter measurements; some go undecided."),
    parameters.flag("--full", "Also what takes minutes: 10,000 sessions, 100 MB, 60 s stalls."),
    click.option("--sample-size", type=_AT_LEAST_ONE, help="Operations of each benchmark. (default: 400, quick: 100)"),
    click.option("--warm-up-time", type=_NOT_NEGATIVE, help="Seconds for each benchmark. (default: 0.1)"),
    click.option(
        "--measurement-time",
        type=_NOT_NEGATIVE,
        help="Seconds after which fewer operations will do. (default: 1, quick: 0.5)",
    ),
    parameters.confidence_level(),
    click.option("--seed", type=int, help="Order, markers, delays follow from it. (default: random)"),
)
stopping = parameters.group(
    click.option("--blocks", type=_AT_LEAST_ONE, help="Rounds that operations are spread over. (default: 5, quick: 2)"),
    click.option(
        "--precision",
        type=click.FloatRange(0.001, 10),
        help="Go on until the interval is this narrow, such as 0.1, or time is up.",
    ),
    click.option(
        "--runs",
        type=_AT_LEAST_ONE,
        default=1,
        show_default=True,
        help="Measure this often, one run after the other; they are compared and saved together.",
    ),
    parameters.flag("--fixed", "The sample size whatever is found: no less of what is clear, no more."),
)


def bench_options(flags: dict[str, Any]) -> BenchOptions:
    """What the flags ask to be measured.

    Raises:
        OptionsError
    """
    from web_terminal_suite.bench.pipeline import BenchOptions

    same = ("filters", "quick", "full", "sample_size", "blocks", "precision", "confidence_level", "seed", "token")
    return BenchOptions(
        **{name: flags[name] for name in (*same, "self_check")},
        network=flags["network"] or "",
        terminals=flags["terminal"],
        urls=flags["url"],
        extensions=flags["extension"],
        warm_up_seconds=flags["warm_up_time"],
        measurement_seconds=flags["measurement_time"],
        adaptive=not flags["fixed"],
    )
