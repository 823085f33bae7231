"""A real Chromium, or a reason to skip."""

from __future__ import annotations

import os

import pytest

from web_terminal_suite.bench.browser.chromium import find_chromium
from web_terminal_suite.bench.browser.errors import BrowserMissing


@pytest.fixture(scope="session")
def chromium_path(request: pytest.FixtureRequest) -> str:
    """The path of the browser that the suite uses."""
    try:
        return find_chromium()
    except BrowserMissing as error:
        if request.config.getoption("--require-browser") or os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
