"""ttyd's own page, unmodified and from the real ttyd, in a real Chromium: its WebSocket and its token are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN, serving
from tests.page.conftest import browser  # noqa: F401  # a fixture
from tests.server.proxy import Route, proxied
from tests.server.real import TTYD, real_ttyd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(TTYD is None, reason="ttyd is not installed; put it on PATH to test its page"),
]

_WAIT_MS = 20_000
# Every line that was drawn, without the blanks at its end.
_TEXT = """() => { const b = term.buffer.active; return Array.from({length: b.length},
    (_, n) => b.getLine(n).translateToString(true)).join('\\n') }"""


@pytest.fixture(scope="module")
def server():
    with serving("--ttyd-path", "/ttyd") as each:
        yield each


@pytest.fixture(scope="module")
def origin(server) -> Iterator[str]:
    """Where the page is ttyd's and the rest ours."""
    with (
        real_ttyd() as real,
        proxied(
            Route("/ws", server.port, "/ttyd/ws"),
            Route("/token", server.port, "/ttyd/token"),
            Route("/api/", server.port, "/api/"),
            Route("/", real.port, "/"),
        ) as each,
    ):
        yield each


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:  # noqa: F811
    """A browser whose user typed the token as a password, as ttyd's users do."""
    credentials = {"username": "anybody", "password": TOKEN}
    with browser.new_context(viewport={"width": 1000, "height": 600}, http_credentials=credentials) as each:
        each.set_default_timeout(_WAIT_MS)
        yield each


def opened(context: BrowserContext, origin: str) -> Page:
    page = context.new_page()
    page.said = []
    page.on("pageerror", lambda error: page.said.append(f"error: {error}"))
    page.on("console", lambda line: page.said.append(line.text))
    page.goto(f"{origin}/")
    until_text(page, "$")
    return page


def until_text(page: Page, text: str) -> str:
    page.wait_for_function(f"text => window.term && ({_TEXT})().includes(text)", arg=text)
    return page.evaluate(_TEXT)


def type_line(page: Page, line: str) -> None:
    page.keyboard.type(line)
    page.keyboard.press("Enter")


def sessions(server, context: BrowserContext) -> list[str]:
    """States of the sessions there are."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = context.request.get(f"{server.origin}/api/v1/sessions", headers=headers).json()
    return [each["state"] for each in answer["sessions"]]


def test_a_shell_in_ttyd_s_page(context, origin):
    page = opened(context, origin)
    assert page.title().startswith("/bin/sh (")
    rows, cols = page.evaluate("[term.rows, term.cols]")
    type_line(page, "echo $((6*7))-h\u00e9llo; stty size")
    until_text(page, f"42-h\u00e9llo\n{rows} {cols}\n")
    page.set_viewport_size({"width": 700, "height": 400})
    page.wait_for_function("cols => term.cols < cols", arg=cols)
    rows, cols = page.evaluate("[term.rows, term.cols]")
    type_line(page, "echo $((6*8))-smaller; stty size")
    until_text(page, f"48-smaller\n{rows} {cols}\n")
    assert [line for line in page.said if line.startswith("error")] == []
    page.close(run_before_unload=False)


def test_a_flood_is_drawn_to_its_last_line_and_an_interrupt_is_heard(context, origin):
    """The page says RESUME whenever it has caught up, and PAUSE before where the browser is slow enough."""
    page = opened(context, origin)
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.reload()
    until_text(page, "$")
    type_line(page, "seq 1 1000000; echo $((6*7))-done")
    page.wait_for_function(f"() => ({_TEXT})().includes('42-done')", timeout=60_000)
    assert "1000000\n42-done" in page.evaluate(_TEXT)
    assert b"3" in sent
    type_line(page, "yes")
    until_text(page, "y\ny\ny\n")
    page.keyboard.press("Control+c")
    type_line(page, "echo $((6*9))-calm")
    until_text(page, "54-calm")
    page.close(run_before_unload=False)


def test_the_page_says_that_all_was_well_and_connects_anew_when_asked(context, origin):
    page = opened(context, origin)
    type_line(page, "exit")
    page.get_by_text("to Reconnect").wait_for()
    assert "[ttyd] websocket connection closed with code: 1000" in page.said
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({_TEXT})().trim() === '$'")
    type_line(page, "echo $((6*7))-anew")
    until_text(page, "42-anew")
    page.close(run_before_unload=False)


def test_the_page_connects_anew_by_itself_after_a_failure(context, origin):
    page = opened(context, origin)
    with page.expect_console_message(lambda line: line.text == "[ttyd] websocket connection opened"):
        type_line(page, "exit 3")
    # It wipes the screen then; what is there is the new shell's prompt.
    page.wait_for_function(f"() => ({_TEXT})().trim() === '$'")
    assert "[ttyd] websocket connection closed with code: 1006" in page.said
    type_line(page, "echo $((6*7))-anew")
    until_text(page, "42-anew")
    page.close(run_before_unload=False)


def test_the_shell_goes_with_the_page(context, origin, server):
    page = opened(context, origin)
    assert "running" in sessions(server, context)
    page.close(run_before_unload=False)
    other = context.new_page()
    # The server notices by itself, and nothing tells us when.
    for _ in range(400):
        if "running" not in sessions(server, context):
            break
        other.wait_for_timeout(50)
    assert "running" not in sessions(server, context)


def test_a_login_of_ours_will_do_for_ttyd_s_page(browser, origin):  # noqa: F811
    with browser.new_context() as context:
        context.set_default_timeout(_WAIT_MS)
        answer = context.request.post(f"{origin}/api/v1/login", data={"token": TOKEN})
        assert answer.status == 200
        page = opened(context, origin)
        type_line(page, "echo $((6*7))-cookie")
        until_text(page, "42-cookie")
        page.close(run_before_unload=False)
