"""From a trace to the way of each key: pressed, sent, echo received, parsed, displayed. Pure.

A key's echo is the first frame of the WebSocket that is received after the key was sent; the page has parsed it when it
asks for an animation frame; and the first frame rendered from then on is the one that shows it. That holds where
nothing but echoes arrives. ``confirmation`` compares it with what was on the screen.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.browser.trace import DisplayedFrame, Trace


class KeyStamps(NamedTuple):
    """The way of one key, ns; ``None`` where the page has no such step. ``sequence`` is of the frame that shows it."""

    pressed_ns: int
    sent_ns: int | None
    received_ns: int | None
    parsed_ns: int | None
    presented_ns: int
    sequence: int

    @property
    def marks(self) -> dict[str, int]:
        """The steps that there are, by the name that a sample has for them."""
        steps = {"sent": self.sent_ns, "received": self.received_ns, "parsed": self.parsed_ns}
        return {name: at for name, at in steps.items() if at is not None}


class LostKey(NamedTuple):
    """A key that was not seen to its end."""

    pressed_ns: int
    missing: str
    """What did not come."""


def key_stamps(trace: Trace, *, through_socket: bool) -> list[KeyStamps | LostKey]:
    """One entry for each key of the trace, in order.

    Args:
        through_socket: whether keys travel through a WebSocket; else the page draws them by itself.
    """
    found: list[KeyStamps | LostKey] = []
    last_sent = last_received = 0
    for pressed_ns in trace.keys_ns:
        sent = received = None
        drawn_from = pressed_ns
        if through_socket:
            sent = _first(trace.sent_ns, max(pressed_ns, last_sent + 1))
            if sent is None:
                found.append(LostKey(pressed_ns, "frame sent"))
                continue
            received = _first(trace.received_ns, max(sent, last_received + 1))
            if received is None:
                found.append(LostKey(pressed_ns, "frame received"))
                continue
            last_sent, last_received, drawn_from = sent, received, received
        parsed = _first(trace.requested_ns, drawn_from) if through_socket else None
        frame = frame_from(trace.frames, parsed or drawn_from)
        if frame is None:
            found.append(LostKey(pressed_ns, "frame displayed"))
            continue
        # A page that draws at once, without an animation frame, asks for one later for some other reason.
        if parsed is not None and parsed > frame.presented_ns:
            parsed = None
        found.append(KeyStamps(pressed_ns, sent, received, parsed, frame.presented_ns, frame.sequence))
    return found


def frame_from(frames: Sequence[DisplayedFrame], moment_ns: int) -> DisplayedFrame | None:
    """The first displayed frame whose rendering began at ``moment_ns`` or later."""
    return next((each for each in frames if each.render_ns >= moment_ns), None)


def _first(moments: Sequence[int], least: int) -> int | None:
    place = bisect_left(moments, least)
    return moments[place] if place < len(moments) else None
