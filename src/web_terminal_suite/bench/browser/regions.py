"""From which picture on a part of the page looks as it does in the last one: what decides that something is drawn.

The browser decodes its own pictures, in a page of its own; what follows from their pixels is pure.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.benchmark import sample
from web_terminal_suite.bench.browser.confirmation import asked
from web_terminal_suite.bench.browser.errors import PageFailed, explained
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS
from web_terminal_suite.bench.samples import Outcome, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    from playwright.async_api import Browser, Page

    from web_terminal_suite.bench.browser.trace import Picture, Trace

    Greys = npt.NDArray[np.int16]


class Region(NamedTuple):
    """A rectangle of the page, in shares of its width and height."""

    left: float
    top: float
    width: float
    height: float


class Drawn(NamedTuple):
    """When what the last picture shows was displayed, and when the picture before was, which does not show it; ns."""

    seen_ns: int
    before_ns: int


WHOLE: Final = Region(0.0, 0.0, 1.0, 1.0)

ALIKE: Final = 0.9
"""Of the pixels. What blinks, and a scroll bar that fades, is less of a region."""

_NEAR: Final = 24
"""Of 256 greys: JPEG moves them by less, a glyph or a background by more."""
_CHANGED: Final = 40

_CELL: Final = (9, 18)
"""Pixels of a cell of text as pages draw it, nearly."""

_BATCH: Final = 12
# A larger region is scaled down to this number of pixels.
_MOST_PIXELS: Final = 6000

_GREYS: Final = """async ([jpegs, region, most]) => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const found = [];
  for (const jpeg of jpegs) {
    const bytes = Uint8Array.from(atob(jpeg), (each) => each.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
    const left = Math.floor(region.left * bitmap.width), top = Math.floor(region.top * bitmap.height);
    const width = Math.ceil(region.width * bitmap.width), height = Math.ceil(region.height * bitmap.height);
    const scale = Math.min(1, Math.sqrt(most / (width * height)));
    const [cols, rows] = [Math.ceil(scale * width), Math.ceil(scale * height)];
    context.canvas.width = cols;
    context.canvas.height = rows;
    context.drawImage(bitmap, left, top, width, height, 0, 0, cols, rows);
    const { data } = context.getImageData(0, 0, cols, rows);
    let text = '';
    const grey = (at) => (data[at] + data[at + 1] + data[at + 2]) / 3;
    for (let at = 0; at < data.length; at += 4) text += String.fromCharCode(grey(at));
    found.push(btoa(text));
  }
  return found;
}"""


async def greys(page: Page, pictures: Sequence[Picture], region: Region) -> list[Greys]:
    """The region of each picture, as greys from 0 to 255; ``page`` is one to compute in.

    Raises:
        TimedOut, PageFailed
    """
    with explained("pictures compared", WAIT_SECONDS):
        found = await page.evaluate(_GREYS, [[each.jpeg for each in pictures], region._asdict(), _MOST_PIXELS])
    import numpy as np

    return [np.frombuffer(base64.b64decode(each), np.uint8).astype(np.int16) for each in found]


async def drawn(browser: Browser, trace: Trace, region: Region, from_ns: int, until_ns: int | None = None) -> Drawn:
    """When the region became what it is in the last picture.

    Args:
        from_ns: pictures of frames displayed earlier do not count.
        until_ns: when the page was found to have drawn it; what it draws later is something else. The browser leaves
            pictures out where it is busy, so that the first picture may be of a later frame.

    Raises:
        TimedOut
        PageFailed: no picture shows a change.
    """
    moments = displayed_ns(trace)
    page = await browser.new_page()
    try:
        place = len(moments)
        last: Greys | None = None
        unlike: list[int] = []
        while place and not unlike:
            start = max(0, place - _BATCH)
            batch = await greys(page, trace.pictures[start:place], region)
            last = batch[-1] if last is None else last
            unlike = [start + each for each, seen in enumerate(batch) if likeness(seen, last) < ALIKE]
            place = start
    finally:
        await page.close()
    first = next((each for each, at in enumerate(moments) if at >= from_ns and unlike and each > unlike[-1]), None)
    if first is None:
        raise PageFailed("no picture shows what was to be drawn, and what was there before")
    before_ns = max(from_ns, moments[unlike[-1]])
    return Drawn(first_frame(trace, before_ns, moments[first], until_ns), before_ns)


def first_frame(trace: Trace, before_ns: int, picture_ns: int, until_ns: int | None) -> int:
    """When the frame was displayed that a page which had drawn everything at ``until_ns`` can have drawn last."""
    frames = [each.presented_ns for each in trace.frames if until_ns is not None and each.render_ns <= until_ns]
    return min([picture_ns, *(each for each in frames[-1:] if each > before_ns)])


async def first_changes(browser: Browser, trace: Trace, region: Region, acted_ns: Sequence[int]) -> list[int | None]:
    """For each act when the region was displayed first with what it had of new before the next act; ns.

    Raises:
        TimedOut, PageFailed
    """
    page = await browser.new_page()
    try:
        seen = [
            each
            for at in range(0, len(trace.pictures), _BATCH)
            for each in await greys(page, trace.pictures[at : at + _BATCH], region)
        ]
    finally:
        await page.close()
    moments = displayed_ns(trace)
    found: list[int | None] = [None] * len(acted_ns)
    for question in asked(moments, acted_ns):
        place = first_changed(seen[question.before], [seen[each] for each in question.during])
        found[question.key] = None if place is None else moments[question.during[place]]
    return found


def displayed_samples(
    acted_ns: Sequence[int], seen_ns: Sequence[int | None], limit_seconds: float, reason: str
) -> tuple[Sample, ...]:
    """One operation for each act; where nothing was seen, it timed out for ``reason``."""
    return tuple(
        sample(acted, seen)
        if seen is not None
        else Sample(
            due_ns=acted,
            sent_ns=acted,
            seen_ns=acted + round(limit_seconds * 1e9),
            outcome=Outcome.TIMEOUT,
            reason=reason,
        )
        for acted, seen in zip(acted_ns, seen_ns, strict=True)
    )


def likeness(one: Greys, other: Greys) -> float:
    """The share of pixels that are nearly the same; 0 for pictures of two sizes."""
    import numpy as np

    return float(np.mean(np.abs(one - other) < _NEAR)) if one.size == other.size else 0.0


def first_changed(before: Greys, during: Sequence[Greys]) -> int | None:
    """The first of ``during`` that has most of what is new in the last; ``None`` where nothing is."""
    last = during[-1]
    if any(each.size != last.size for each in (before, *during)):
        return None
    import numpy as np

    changed = np.abs(before - last) > _CHANGED
    if changed.sum() < 3:
        return None
    nearer = (np.abs(each - last)[changed] < np.abs(each - before)[changed] for each in during)
    return next((place for place, is_new in enumerate(nearer) if is_new.mean() >= 0.8), None)


def displayed_ns(trace: Trace) -> list[int]:
    """When the frame of each picture was presented; when it was taken, of one that the trace lacks."""
    shown = {each.sequence: each.presented_ns for each in trace.frames}
    return [shown.get(each.sequence, each.captured_ns) for each in trace.pictures]


async def terminal_region(page: Page) -> Region:
    """Where the page's xterm.js draws.

    Raises:
        TimedOut, PageFailed
    """
    return await _region(page, "at.width", "at.height")


async def first_row(page: Page) -> Region:
    """Where the page's xterm.js draws its first row.

    Raises:
        TimedOut, PageFailed
    """
    return await _region(page, "at.width", str(_CELL[1]))


async def first_cell(page: Page) -> Region:
    """Where the page's xterm.js draws the first character.

    Raises:
        TimedOut, PageFailed
    """
    return await _region(page, *map(str, _CELL))


async def _region(page: Page, width: str, height: str) -> Region:
    found = (
        "() => { const at = document.querySelector('.xterm-screen').getBoundingClientRect(); "
        f"return [at.x / innerWidth, at.y / innerHeight, {width} / innerWidth, {height} / innerHeight]; }}"
    )
    with explained("terminal found on the page", WAIT_SECONDS):
        return Region(*await page.evaluate(found))
