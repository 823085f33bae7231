"""How often something happens, from how often it did."""

from __future__ import annotations

from web_terminal_suite.bench.stats.interval import Interval, check_level


def clopper_pearson(hits: int, trials: int, level: float) -> Interval:
    """The exact interval of a probability, conservative for few trials.

    Source: Clopper & Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial",
    Biometrika 26, 1934.

    Raises:
        ValueError: no trial, or more hits than trials.
    """
    check_level(level)
    if not 0 <= hits <= trials or trials < 1:
        raise ValueError(f"{hits} of {trials} is no proportion")
    # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    lower = 0.0 if hits == 0 else float(betaincinv(hits, trials - hits + 1, tail))
    upper = 1.0 if hits == trials else float(betaincinv(hits + 1, trials - hits, 1 - tail))
    return Interval(lower, upper, level)
