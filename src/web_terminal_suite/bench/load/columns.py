"""Operations as columns of machine integers: added one by one, sent in batches."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from web_terminal_suite.bench.load.messages import OperationBatch
from web_terminal_suite.bench.samples import Outcome

if TYPE_CHECKING:
    from web_terminal_suite.bench.samples import Sample


class OperationColumns:
    """Operations of one kind and stage that ended since the last batch. ``zero_ns``: start of the run."""

    def __init__(self, kind: str, stage: int, zero_ns: int) -> None:
        self._kind = kind
        self._stage = stage
        self._zero_ns = zero_ns
        self._clear()

    def add(self, sample: Sample) -> None:
        """Append an operation, whose times are of this process' clock."""
        if sample.outcome is not Outcome.OK:
            self._failures.append((len(self._due), str(sample.outcome), sample.reason))
        self._due.append(sample.due_ns - self._zero_ns)
        self._sent.append(sample.sent_ns - self._zero_ns)
        self._seen.append(sample.seen_ns - self._zero_ns)

    def take_batch(self) -> OperationBatch | None:
        """Everything since the last batch; ``None`` if there is nothing."""
        if not self._due:
            return None
        batch = OperationBatch(
            kind=self._kind,
            stage=self._stage,
            due=self._due.tobytes(),
            sent=self._sent.tobytes(),
            seen=self._seen.tobytes(),
            failures=self._failures,
        )
        self._clear()
        return batch

    def _clear(self) -> None:
        self._due, self._sent, self._seen = array("q"), array("q"), array("q")
        self._failures: list[tuple[int, str, str]] = []
