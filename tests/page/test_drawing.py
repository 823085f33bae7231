"""Output that xterm.js alone does not draw, or dies of, in a real Chromium against real shells."""

from __future__ import annotations

import pathlib
import sys

import pytest

from tests.page.shell_page import end, opened, type_line, until_state, until_text

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PROGRAMS = f"{sys.executable} {pathlib.Path(__file__).with_name('programs.py')}"

# The cursor in the last cell of a screen without scrollback, and counts of 2**31 - 1.
ENDING = [
    r"\033[999;999H\033[1J",
    r"\033[999;999H\033[?1J",
    r"\033[?1049h\033[999;999H\033[1J\033[?1049l",
    r"\033[3J\033[999;999Hx\033[1J",
    *(rf"\033[2147483647{final}" for final in "LMSTIZ@PX"),
    r"x\033[2147483647b",
    r"\033[?6h\033[5;9r\033[99;999H\033[1J\033[?6l\033[r",
]


def test_no_sequence_stops_the_page_and_a_reload_neither(context, server):
    page = opened(context, server.url)
    for number, sequence in enumerate(ENDING):
        type_line(page, rf"printf '\033c{sequence}\033[H'; echo al''ive-{number}.")
        until_text(page, f"alive-{number}.")
    page.reload()
    until_state(page, "connected")
    until_text(page, f"alive-{len(ENDING) - 1}.")
    assert page.problems == []
    assert page.evaluate("webTerminal.stats().redraws") == 0
    end(page)


def test_erasing_to_the_last_cell_erases_the_screen(context, server):
    page = opened(context, server.url)
    type_line(page, r"printf '\033ctext\n\033[2;3Hmore\033[999;999H\033[1J\033[4;1H'; echo er''ased")
    assert until_text(page, "erased").split("erased")[0].strip() == ""
    end(page)


def test_a_character_cut_between_two_frames_is_drawn(context, server):
    page = opened(context, server.url)
    type_line(page, f"stty -echo; {PROGRAMS} halves; stty echo")
    for character in "—“•…、「。漢é€😀👍":
        for cut in range(1, len(character.encode())):
            # The last line is the one that waits: the first part of the character has been drawn.
            page.wait_for_function("() => webTerminal.text().endsWith('ready<')")
            page.keyboard.press("n")
            until_text(page, f"<{character}>cut{ord(character)}-{cut}")
    until_text(page, "DONE")
    assert page.problems == []
    end(page)


def test_every_text_takes_the_cells_of_the_table(context, server):
    page = opened(context, server.url)
    type_line(page, f"{PROGRAMS} widths")
    assert "DIFFERING {}" in until_text(page, "DIFFERING")
    end(page)


def test_a_new_terminal_takes_over_where_drawing_died(context, server):
    page = opened(context, server.url)
    # xterm.js splits the colours of OSC 4 while it parses, so an error here is one inside its parser.
    page.add_init_script("""
        const split = String.prototype.split;
        String.prototype.split = function (...how) {
            if (this.startsWith('deadly')) throw Error('deadly');
            return split.apply(this, how);
        };
    """)
    page.reload()
    until_state(page, "connected")
    type_line(page, r"echo be''fore; printf '\033]4;deadly\007'; echo after''wards")
    text = until_text(page, "afterwards")
    assert "before" in text
    assert page.evaluate("webTerminal.stats().redraws") > 0
    until_state(page, "connected")
    type_line(page, "echo us''able")
    until_text(page, "usable")
    assert all("deadly" in problem for problem in page.problems)
    # A page that starts with the same bytes in its replay comes to the same screen.
    page.reload()
    until_text(page, "usable")
    end(page)
