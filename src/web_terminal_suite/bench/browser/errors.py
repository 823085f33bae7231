"""What can go wrong with a browser, as errors that a trial keeps as its outcome."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.client.errors import ClientError, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator


class BrowserMissing(OptionsError):
    """Playwright or a Chromium is not installed; the text says how to get it."""


class PageFailed(ClientError):
    """The page, or the browser, did what no measurement survives: crashed, opened a dialog, went elsewhere."""


@contextmanager
def explained(what: str, limit_seconds: float) -> Iterator[None]:
    """Turn Playwright's errors in the block into ours: ``what`` did not happen in time, or the page failed.

    Raises:
        TimedOut, PageFailed
    """
    from playwright.async_api import Error, TimeoutError

    try:
        yield
    except TimeoutError as error:
        raise TimedOut(what, limit_seconds) from error
    except Error as error:
        raise PageFailed(f"{what}: {error.message.partition(chr(10))[0]}") from error
