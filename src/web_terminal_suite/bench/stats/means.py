"""Student's t, which every interval of a few units rests on."""

from __future__ import annotations

FEWEST_TO_RESAMPLE = 5
"""Values below which nothing is said of how their mean varies."""


def student_quantile(probability: float, degrees: float) -> float:
    """The quantile of Student's t with ``degrees`` degrees of freedom."""
    # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))
