"""How often a page draws, as the browser itself counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_CATEGORIES = "devtools.timeline,disabled-by-default-devtools.timeline.frame"


def frames_begun(page: Page, seconds: float) -> int:
    """Frames that the page's main thread begins from now on, in this time."""
    session = page.context.new_cdp_session(page)
    events, ended = [], []
    session.on("Tracing.dataCollected", lambda message: events.extend(message["value"]))
    session.on("Tracing.tracingComplete", lambda message: ended.append(message))
    session.send("Tracing.start", {"traceConfig": {"includedCategories": _CATEGORIES.split(",")}})
    page.wait_for_timeout(seconds * 1000)
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(20)
    session.detach()
    return sum(each["name"] == "BeginMainThreadFrame" for each in events)
