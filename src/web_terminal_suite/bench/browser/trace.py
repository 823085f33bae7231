"""The browser's trace of one page, as moments of the suite's clock. Pure.

Chromium stamps its trace with ``CLOCK_MONOTONIC`` in microseconds, which is the clock of ``bench.clock``. Events are
those of the category ``devtools.timeline``, as Chromium 120 and later write them; each page is told apart by the
identifier of its frame and by its process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CATEGORIES: Final = ("devtools.timeline", "disabled-by-default-devtools.timeline.frame", "blink.user_timing")
PICTURES: Final = "disabled-by-default-devtools.screenshot"
"""The category that has each displayed frame as a picture. It costs several milliseconds a frame."""

_NS_PER_US: Final = 1_000


class DisplayedFrame(NamedTuple):
    """One frame of a page: ``render_ns`` is when its animation callbacks, style and layout began."""

    sequence: int
    render_ns: int
    presented_ns: int


class Picture(NamedTuple):
    """What was on the screen with the frame of this number, as a JPEG in base64."""

    sequence: int
    captured_ns: int
    jpeg: str


class Mark(NamedTuple):
    """A ``performance.mark`` of the page: the same moment on the clock of the trace and on the page's own."""

    name: str
    trace_ns: int
    page_ns: int


@dataclass
class Trace:
    """What a page did, each list in order of time; ns."""

    keys_ns: list[int] = field(default_factory=list)
    """When the browser received each key that was pressed."""
    sent_ns: list[int] = field(default_factory=list)
    received_ns: list[int] = field(default_factory=list)
    received_bytes: int = 0
    requested_ns: list[int] = field(default_factory=list)
    """When the page asked for an animation frame, which xterm.js does once it has parsed output."""
    frames: list[DisplayedFrame] = field(default_factory=list)
    """Those that changed what is displayed."""
    begun_ns: list[int] = field(default_factory=list)
    """Every frame that the main thread began, with or without a change."""
    pictures: list[Picture] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    handled_ns: list[int] = field(default_factory=list)
    """When the page had handled each key of ``keys_ns``."""
    process: int = 0
    """That draws the page; 0 where the trace has nothing of it."""


def page_trace(events: Iterable[dict[str, Any]], frame_id: str, from_ns: int = 0) -> Trace:
    """The trace of the page whose main frame is ``frame_id``, as ``Page.getFrameTree`` names it.

    Keys before ``from_ns`` are left out: the browser tells of a key once it is over.
    """
    events = sorted((each for each in events if "ts" in each), key=lambda each: int(each["ts"]))
    # A page that is opened from an empty one may be drawn by another process from then on.
    processes = list(dict.fromkeys(each["pid"] for each in events if _frame(each) == frame_id))
    found = Trace(process=processes[-1] if processes else 0)
    for each in events:
        if each["name"] == "Screenshot":
            found.pictures.append(_picture(each))
        elif each["pid"] not in processes:
            continue
        elif _frame(each) == frame_id:
            _note(found, each)
        elif each["name"] == "BeginMainThreadFrame":
            found.begun_ns.append(_ns(each))
        elif each.get("cat") == "blink.user_timing":
            found.marks += _marks(each)
    found.frames += _frames([each for each in events if each["pid"] in processes])
    early = sum(each < from_ns for each in found.keys_ns)
    del found.keys_ns[:early], found.handled_ns[:early]
    return found


def _frame(event: dict[str, Any]) -> str:
    data = event.get("args", {}).get("data")
    return str(data.get("frame", "")) if isinstance(data, dict) else ""


def _ns(event: dict[str, Any]) -> int:
    return int(event["ts"]) * _NS_PER_US


def _note(found: Trace, event: dict[str, Any]) -> None:
    name, data = event["name"], event["args"]["data"]
    if name == "EventTiming" and event["ph"] == "b" and data.get("type") == "keydown":
        found.keys_ns.append(_ns(event))
        handling_ms = data.get("processingEnd", 0.0) - data.get("timeStamp", 0.0)
        found.handled_ns.append(_ns(event) + round(handling_ms * 1_000_000))
    elif name == "WebSocketSend":
        found.sent_ns.append(_ns(event))
    elif name == "WebSocketReceive":
        found.received_ns.append(_ns(event))
        found.received_bytes += int(data.get("dataLength", 0))
    elif name == "RequestAnimationFrame":
        found.requested_ns.append(_ns(event))


def _picture(event: dict[str, Any]) -> Picture:
    arguments = event["args"]
    return Picture(int(arguments["frame_sequence"]), _ns(event), arguments["snapshot"])


def _marks(event: dict[str, Any]) -> Iterator[Mark]:
    data = event.get("args", {}).get("data", {})
    if "startTime" in data:
        yield Mark(event["name"], _ns(event), round(data["startTime"] * 1_000_000))


def _frames(events: Iterable[dict[str, Any]]) -> list[DisplayedFrame]:
    """Frames that were drawn, from the parts that the trace has of each.

    A frame is followed from its begin to its presentation by the flow ``AnimationFrame``: its number is only known at
    the end, because one that is late is drawn with a later number than it was begun with. A frame that changed nothing
    has a presentation too, and is told by the ``DrawFrame`` that it lacks.
    """
    rendered_ns: dict[str, int] = {}
    presented: list[tuple[int, int, int]] = []
    drawn = set()
    flow = ended = ""
    for each in events:
        name, phase = each["name"], each["ph"]
        if name == "DrawFrame":
            drawn.add(int(each["args"].get("frameSeqId", -1)))
        elif name == "AnimationFrame" and phase == "s":
            flow = str(each.get("id"))
        elif name == "AnimationFrame" and phase == "f":
            ended = str(each.get("id"))
        elif name == "AnimationFrame::Render" and phase == "b":
            rendered_ns[flow] = _ns(each)
        elif name == "AnimationFrame::Presentation" and ended in rendered_ns:
            presented.append((_ns(each), rendered_ns[ended], _sequence(each["args"])))
    return [DisplayedFrame(number, render, at) for at, render, number in sorted(presented) if number in drawn]


def _sequence(arguments: dict[str, Any]) -> int:
    return int(arguments.get("begin_frame_id", {}).get("sequence_number", -1))
