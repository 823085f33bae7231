"""A sorted sample of one quantity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int64] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Series:
    """``(n,)`` values in ascending order, ``n >= 1``, int64 or float64, read-only, without NaN.

    ``+inf`` is a value: something that never came, larger than all that did. Order statistics stay true with it;
    a mean does not exist.
    """

    values: Values

    def __init__(self, values: npt.ArrayLike) -> None:
        """Sort a copy of ``values``.

        Raises:
            ValueError: empty, not one-dimensional, not numbers, NaN, or ``-inf``.
        """
        array = np.array(values)
        if array.ndim != 1:
            raise ValueError(f"a series has one dimension, not {array.ndim}")
        if array.size == 0:
            raise ValueError("a series needs at least one value")
        if array.dtype.kind not in "iuf":
            raise ValueError(f"a series holds numbers, not {array.dtype}")
        kept: Values = array.astype(np.int64) if array.dtype.kind in "iu" else array.astype(np.float64)
        if kept.dtype.kind == "f" and (np.isnan(kept).any() or np.isneginf(kept).any()):
            raise ValueError("a series holds no NaN and no -inf")
        kept.sort()
        kept.flags.writeable = False
        object.__setattr__(self, "values", kept)

    def __len__(self) -> int:
        return int(self.values.size)
