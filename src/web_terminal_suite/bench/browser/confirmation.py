"""Whether the stamps of keys agree with what was on the screen. Pure.

Each displayed frame of a confirmed burst is a picture as well. A key was displayed with the first picture that has
its glyph; the stamp must name the moment when that very frame was presented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.browser.stamps import KeyStamps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.browser.stamps import LostKey
    from web_terminal_suite.bench.browser.trace import Trace

TOLERANCE_NS: Final = 1_000_000
"""A stamp and the presentation of its frame are one event of the trace: nothing but rounding lies between."""

LEAST_SHARE: Final = 0.5
"""Of the keys that pictures must show. The browser leaves pictures out where it is busy."""


class Question(NamedTuple):
    """For one key: the pictures before it, while it was drawn, and after it, as places in the trace's pictures."""

    key: int
    before: int
    during: tuple[int, ...]
    after: int


@dataclass(frozen=True)
class Confirmation:
    """What pictures say of a burst of keys."""

    keys: int
    confirmed: int
    contradictions: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.contradictions and self.confirmed >= LEAST_SHARE * self.keys

    def __str__(self) -> str:
        if self.contradictions:
            return f"pictures contradict {len(self.contradictions)} of {self.keys} stamps: {self.contradictions[0]}"
        return f"pictures confirm {self.confirmed} of {self.keys} stamps"


def questions(trace: Trace) -> list[Question]:
    """What to ask the pictures of a burst of keys."""
    shown = {each.sequence: each.presented_ns for each in trace.frames}
    return asked([shown.get(each.sequence, each.captured_ns) for each in trace.pictures], trace.keys_ns)


def asked(moments: Sequence[int], acted_ns: Sequence[int]) -> list[Question]:
    """For each act the pictures from the last before it to the last before the next act.

    Acts without a picture before or after are left out.

    Args:
        moments: when each picture was displayed.
        acted_ns: when each key was pressed.
    """
    found = []
    for number, at_ns in enumerate(acted_ns):
        until_ns = acted_ns[number + 1] if number + 1 < len(acted_ns) else max([*moments, 0]) + 1
        before = [place for place, at in enumerate(moments) if at < at_ns]
        during = tuple(place for place, at in enumerate(moments) if at_ns <= at < until_ns)
        if before and during:
            found.append(Question(number, before[-1], during, during[-1]))
    return found


def confirm(
    trace: Trace, stamps: Sequence[KeyStamps | LostKey], answers: Sequence[tuple[Question, int | None]]
) -> Confirmation:
    """Compare stamps with the pictures that have the glyphs.

    Args:
        answers: for each question the place of the first picture with the glyph, ``None`` where none has it.
    """
    shown = {each.sequence: each.presented_ns for each in trace.frames}
    confirmed, contradictions = 0, []
    for question, place in answers:
        stamp = stamps[question.key]
        if place is None:
            continue
        if not isinstance(stamp, KeyStamps):
            contradictions.append(f"key {question.key + 1} has no {stamp.missing}, and its glyph was on the screen")
            continue
        presented_ns = shown.get(trace.pictures[place].sequence)
        if presented_ns is None:
            continue
        apart_ns = stamp.presented_ns - presented_ns
        if abs(apart_ns) > TOLERANCE_NS:
            way = "after" if apart_ns > 0 else "before"
            contradictions.append(
                f"key {question.key + 1} is stamped {abs(apart_ns) / 1e6:.1f} ms {way} the frame that shows it"
            )
        else:
            confirmed += 1
    return Confirmation(len(trace.keys_ns), confirmed, tuple(contradictions))
