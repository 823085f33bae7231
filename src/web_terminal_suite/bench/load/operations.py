"""Operations of all shards together: merged without loss, cut and counted by when they were due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.samples import Outcome, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from web_terminal_suite.bench.load.messages import OperationBatch


class Operations:
    """All operations of one kind and stage, of every shard, in the order they were due.

    ``due``, ``sent``, ``seen``: ``(n,)`` int64, ns of the run. ``noted``: by place, what is not plainly ok.
    """

    def __init__(self, batches: Iterable[OperationBatch]) -> None:
        parts: tuple[list[npt.NDArray[np.int64]], ...] = ([], [], [])
        noted: list[tuple[int, str, str]] = []
        count = 0
        for batch in batches:
            noted += [(count + place, outcome, reason) for place, outcome, reason in batch.noted]
            for part, data in zip(parts, (batch.due, batch.sent, batch.seen), strict=True):
                part.append(np.frombuffer(data, np.int64))
            count += parts[0][-1].size
        due, sent, seen = (np.concatenate(part) if part else np.zeros(0, np.int64) for part in parts)
        order = np.argsort(due, kind="stable")
        places = np.empty(count, np.int64)
        places[order] = np.arange(count)
        self.due, self.sent, self.seen = due[order], sent[order], seen[order]
        self.noted = {int(places[place]): (outcome, reason) for place, outcome, reason in noted}

    def __len__(self) -> int:
        return int(self.due.size)

    @property
    def took(self) -> npt.NDArray[np.float64]:
        """``(n,)`` ns from due to seen; what failed took for ever."""
        took = (self.seen - self.due).astype(np.float64)
        took[list(self.noted)] = np.inf
        return took

    def between(self, first_ns: int, end_ns: int) -> tuple[int, int]:
        """The places of those due from ``first_ns`` on and before ``end_ns``: first, end."""
        first, end = np.searchsorted(self.due, [first_ns, end_ns])
        return int(first), int(end)

    def samples(self, first: int, end: int) -> Iterator[Sample]:
        """Those at places ``first`` .. ``end - 1`` as a record holds them."""
        columns = (column[first:end].tolist() for column in (self.due, self.sent, self.seen))
        for place, (due_ns, sent_ns, seen_ns) in enumerate(zip(*columns, strict=True), start=first):
            outcome, reason = self.noted.get(place, (Outcome.OK, ""))
            yield Sample(due_ns, sent_ns, seen_ns, outcome=Outcome(outcome), reason=reason)
