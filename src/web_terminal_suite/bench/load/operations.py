"""The operations of all load generators merged, and which of them were due between two times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.samples import Outcome, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from web_terminal_suite.bench.load.messages import OperationBatch


class Operations:
    """All operations of one kind and stage, in the order in which they were due.

    ``due``, ``sent``, ``seen``: ``(n,)`` int64, ns since the start of the run. ``failures``: outcome and reason by
    position.
    """

    def __init__(self, batches: Iterable[OperationBatch]) -> None:
        parts: tuple[list[npt.NDArray[np.int64]], ...] = ([], [], [])
        failures: list[tuple[int, str, str]] = []
        count = 0
        for batch in batches:
            failures += [(count + position, outcome, reason) for position, outcome, reason in batch.failures]
            for part, data in zip(parts, (batch.due, batch.sent, batch.seen), strict=True):
                part.append(np.frombuffer(data, np.int64))
            count += parts[0][-1].size
        due, sent, seen = (np.concatenate(part) if part else np.zeros(0, np.int64) for part in parts)
        order = np.argsort(due, kind="stable")
        positions = np.empty(count, np.int64)
        positions[order] = np.arange(count)
        self.due, self.sent, self.seen = due[order], sent[order], seen[order]
        self.failures = {int(positions[position]): (outcome, reason) for position, outcome, reason in failures}

    def __len__(self) -> int:
        return int(self.due.size)

    @property
    def succeeded(self) -> int:
        """How many did not fail."""
        return len(self) - len(self.failures)

    @property
    def latency_ns(self) -> npt.NDArray[np.float64]:
        """``(n,)`` ns from due to seen; ``inf`` for those that failed."""
        latency = (self.seen - self.due).astype(np.float64)
        latency[list(self.failures)] = np.inf
        return latency

    def between(self, first_ns: int, end_ns: int) -> tuple[int, int]:
        """The positions of those due from ``first_ns`` on and before ``end_ns``: first, end."""
        first, end = np.searchsorted(self.due, [first_ns, end_ns])
        return int(first), int(end)

    def samples(self, first: int, end: int) -> Iterator[Sample]:
        """Those at positions ``first`` .. ``end - 1`` as a record holds them."""
        columns = (column[first:end].tolist() for column in (self.due, self.sent, self.seen))
        for position, (due_ns, sent_ns, seen_ns) in enumerate(zip(*columns, strict=True), start=first):
            outcome, reason = self.failures.get(position, (Outcome.OK, ""))
            yield Sample(due_ns, sent_ns, seen_ns, outcome=Outcome(outcome), reason=reason)
