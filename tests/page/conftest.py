"""A real Chromium for the tests of pages: one for each module, without a past and without a network of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

WAIT_MS = 20_000
"""A guard of every wait in a page."""

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    if _CHROMIUM is None:
        if request.config.getoption("--require-browser") or os.environ.get("CI"):
            pytest.fail("Chromium is missing, and CI must test the page; install it with: apt-get install chromium")
        pytest.skip("Chromium is missing; install it with: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=_FLAGS, env={**os.environ, "HOME": profile}
        )
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without a past; whatever it reports as an error fails the test."""
    with browser.new_context(viewport={"width": 1000, "height": 600}) as each:
        each.set_default_timeout(WAIT_MS)
        yield each
