"""Many comparisons at once: what each one's significance is worth when the best of many is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def holm(significances: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """``(n,)`` adjusted values; rejecting those below ``a`` errs in *any* of them with probability at most ``a``.

    Holds whatever the dependence between them (Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
    Scandinavian Journal of Statistics 6, 1979).
    """
    values, order = _checked(significances)
    n = values.size
    stepped = np.maximum.accumulate(values[order] * np.arange(n, 0, -1))
    return _back(np.minimum(stepped, 1.0), order)


def benjamini_hochberg(significances: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """``(n,)`` adjusted values; of those below ``a``, a share of at most ``a`` is false on average.

    Holds for independent or positively dependent ones (Benjamini & Hochberg, "Controlling the False Discovery Rate",
    Journal of the Royal Statistical Society B 57, 1995).
    """
    values, order = _checked(significances)
    n = values.size
    stepped = values[order] * n / np.arange(1, n + 1)
    return _back(np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0), order)


def _checked(significances: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    values = np.asarray(significances, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("significances are probabilities between 0 and 1 in one dimension")
    return values, np.argsort(values, kind="stable")


def _back(ordered: npt.NDArray[np.float64], order: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    found = np.empty_like(ordered)
    found[order] = ordered
    return found
