"""JupyterLab in a real Chromium: the page is its own, unmodified, and its terminals are ours."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN, serving
from tests.page.conftest import browser  # noqa: F401  # a fixture
from tests.server.proxy import Route, proxied
from tests.server.real import JUPYTER_LAB, real_jupyter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    # 240 MB with all it brings, too much for every run; its own client is tested in test_jupyter_client.
    pytest.mark.skipif(JUPYTER_LAB is None, reason="JupyterLab is not installed; pip install jupyterlab"),
]

_WAIT_MS = 60_000


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where terminals are ours and the rest JupyterLab's."""
    with (
        serving("--terminado-path", "/jupyter") as ours,
        real_jupyter(JUPYTER_LAB) as real,
        proxied(
            Route("/api/terminals", ours.port, "/jupyter/api/terminals"),
            Route("/terminals/websocket/", ours.port, "/jupyter/terminals/websocket/"),
            Route("/", real.port, "/"),
        ) as each,
    ):
        yield each


@pytest.fixture
def page(browser: Browser, origin) -> Iterator[Page]:  # noqa: F811
    with browser.new_context(viewport={"width": 1100, "height": 700}) as context:
        context.set_default_timeout(_WAIT_MS)
        each = context.new_page()
        # The screen is drawn on a canvas, so what came for it is read off the wire.
        each.heard = []
        each.on("websocket", lambda socket: socket.on("framereceived", lambda frame: each.heard.append(frame)))
        each.goto(f"{origin}/lab?token={TOKEN}")
        yield each


def output(page: Page) -> str:
    """What came from the shell since ``heard`` was emptied."""
    messages = [json.loads(frame) for frame in page.heard if isinstance(frame, str)]
    return "".join(each[1] for each in messages if isinstance(each, list) and each[0] == "stdout")


def until(page: Page, text: str) -> None:
    deadline = time.monotonic() + _WAIT_MS / 1000
    while text not in output(page):
        assert time.monotonic() < deadline, f"no {text!r} in {output(page)!r}"
        page.wait_for_timeout(20)  # frames are told while Playwright waits


def type_line(page: Page, line: str) -> None:
    page.locator(".jp-Terminal .xterm").click()
    page.keyboard.type(line)
    page.keyboard.press("Enter")


def test_a_terminal_of_jupyterlab_s(page):
    page.locator(".jp-LauncherCard", has_text="Terminal").click()
    page.locator(".jp-Terminal .xterm").wait_for()
    until(page, "$ ")
    type_line(page, "echo $((6*7))-h\u00e9llo; stty size")
    until(page, "42-h\u00e9llo\r\n")
    # It is there still when the page comes back, and all that was printed with it.
    page.heard.clear()
    page.reload()
    page.locator(".jp-Terminal .xterm").wait_for()
    until(page, "42-h\u00e9llo\r\n")
    type_line(page, "echo $((6*8))-again")
    until(page, "48-again\r\n")
    # The panel of what runs lists it; the shell's end closes its tab.
    page.locator(".lm-TabBar-tab[title*='Running Terminals']").click()
    page.locator(".jp-RunningSessions-item", has_text="erminal").first.wait_for()
    type_line(page, "exit 3")
    page.locator(".jp-Terminal").wait_for(state="detached")
