"""The cursor of the page: it blinks, and the page rests between."""

from __future__ import annotations

import pytest

from tests.page.frames import frames_begun
from tests.page.shell_page import end, opened, type_line, until_text

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SECONDS = 4
HIDDEN = "document.querySelector('#screen').classList.contains('cursor-hidden')"
COLOUR = "getComputedStyle(document.querySelector('.xterm-cursor')).backgroundColor"


def test_an_idle_page_hardly_draws(context, server):
    page = opened(context, server.url)
    page.wait_for_function(f"() => {HIDDEN}")
    assert frames_begun(page, SECONDS) <= 2 * SECONDS
    end(page)


def test_the_cursor_blinks_and_a_key_shows_it(context, server):
    page = opened(context, server.url)
    shown = page.evaluate(COLOUR)
    page.wait_for_function(f"shown => {HIDDEN} && {COLOUR} !== shown", arg=shown)
    page.keyboard.press("x")
    assert not page.evaluate(HIDDEN)
    page.wait_for_function(f"shown => {COLOUR} === shown", arg=shown)
    end(page)


def test_a_program_may_choose_a_cursor_that_does_not_blink(context, server):
    page = opened(context, server.url)
    type_line(page, "printf '\\033[2 q'; echo stea''dy")
    until_text(page, "steady")
    shown = page.evaluate(COLOUR)
    page.wait_for_function(f"() => {HIDDEN}")
    assert page.evaluate(COLOUR) == shown
    end(page)


def test_the_cursor_does_not_blink_where_less_motion_is_wanted(browser, server):
    with browser.new_context(reduced_motion="reduce") as context:
        page = opened(context, server.url)
        # A program asks for a cursor that blinks.
        type_line(page, "printf '\\033[1 q'; echo blin''king")
        until_text(page, "blinking")
        assert frames_begun(page, 2) <= 2
        assert not page.evaluate(HIDDEN)
        end(page)
