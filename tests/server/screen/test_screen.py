"""The emulator by itself: text and rows, limits, output that ends anywhere, and that it is not needed."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.screen import streams
from tests.server.screen.oracle import Resize
from web_terminal_suite.server.screen import screen as module
from web_terminal_suite.server.screen.screen import EmulatorMissing, Screen, TextRun

pytestmark = [pytest.mark.usefixtures("emulator"), pytest.mark.xdist_group("screen")]


def fed(data: bytes, cols: int = 20, rows: int = 4, scrollback: int = 10) -> Screen:
    screen = Screen(cols, rows, scrollback)
    screen.feed(data)
    return screen


def test_text_is_the_screen_with_wrapped_lines_as_one():
    screen = fed(b"first\r\n" + b"x" * 30 + b"\r\nthird \xe4\xbd\xa0\r\n")
    assert screen.text() == "x" * 30 + "\nthird 你\n\n"
    assert screen.text(scrollback=5) == "first\n" + "x" * 30 + "\nthird 你\n\n"


def test_rows_are_runs_of_one_look():
    screen = fed(b"a\x1b[1;31mb\x1b[48;2;1;2;3mc\x1b[38;5;200;4md\x1b[0m\x1b]8;;http://x\x07e")
    assert screen.rows()[0].runs == [
        TextRun("a", None, None, (), ""),
        TextRun("b", 1, None, ("bold",), ""),
        TextRun("c", 1, "#010203", ("bold",), ""),
        TextRun("d", 200, "#010203", ("bold", "underline"), ""),
        TextRun("e", None, None, (), "http://x"),
    ]
    assert [row.is_wrapped for row in fed(b"y" * 25).rows()] == [False, True, False, False]


def test_the_background_of_an_erased_line_is_a_run():
    assert fed(b"\x1b[44m\x1b[K").rows()[0].runs == [TextRun(" " * 20, None, 4, (), "")]


def test_cursor_title_and_which_screen():
    screen = fed(b"\x1b]2;caf\xc3\xa9\x07ab\x1b[?25l")
    assert (screen.cursor, screen.title, screen.is_alternate) == ((2, 0, False), "café", False)
    screen.feed(b"\x1b[?1049h")
    assert screen.is_alternate


def test_a_new_terminal_needs_no_output_to_be_restored():
    assert fed(b"").vt() == b"\r\n\r\n\r\n\x1b[1;1H"


@pytest.mark.parametrize(("cols", "rows", "scrollback"), [(0, 1, 0), (1, 0, 0), (1001, 5, 0), (5, 1001, 0), (5, 5, -1)])
def test_sizes_that_no_terminal_has_are_refused(cols, rows, scrollback):
    with pytest.raises(ValueError, match=r"between 0|a terminal has"):
        Screen(cols, rows, scrollback)


def test_a_resize_to_such_a_size_is_refused():
    with pytest.raises(ValueError, match="a size of 0x5"):
        fed(b"").resize(0, 5)


def test_one_column_is_taken_for_two_as_by_the_page():
    assert Screen(1, 1).size == (2, 1)


def test_lines_beyond_the_scrollback_are_gone():
    screen = fed(b"".join(b"%d\r\n" % number for number in range(100)))
    assert screen.text(scrollback=1000).split() == [str(number) for number in range(87, 100)]
    assert screen.vt(scrollback=0).startswith(b"97\r\n98\r\n99\r\n")


@pytest.mark.parametrize("start", [b"\x1b]2;", b"\x1bPq", b"\x1b[", b"\x1b_", b"\x1b]8;;"])
def test_a_sequence_without_end_takes_bounded_memory(start):
    screen = fed(start)
    for _ in range(64):
        screen.feed(b"1;" * 32768)
    assert screen.memory < 300_000
    screen.feed(b"\x1b\\done")
    assert "done" in screen.text()


def test_limits_are_told():
    assert not fed(b"\x1b]2;short\x07").is_approximate
    assert fed(b"\x1b]2;" + b"long" * 2000 + b"\x07").is_approximate
    assert fed(b"a" + "\u0301".encode() * 100).is_approximate
    links = b"".join(b"\x1b]8;;http://%d\x07x" % number for number in range(20_000))
    assert fed(links, cols=200, rows=100).is_approximate


def test_colours_and_marks_that_no_cell_shows_any_more_are_forgotten():
    screen = Screen(80, 24, 100)
    for number in range(40_000):
        screen.feed(
            b"\x1b[38;2;%d;%d;7m\x1b[H%c\xcc%c\r" % (number % 251, number // 251, 65 + number % 20, 128 + number % 40)
        )
    assert screen.memory < 400_000
    first = screen.rows()[0].runs[0]
    assert first.fg == f"#{39_999 % 251:02x}{39_999 // 251:02x}07"


@pytest.mark.parametrize("count", [b"999999999", b"2147483647", b"99999999999999"])
def test_huge_counts_take_no_time(count):
    finals = [
        b"A",
        b"B",
        b"C",
        b"D",
        b"H",
        b"I",
        b"L",
        b"M",
        b"P",
        b"S",
        b"T",
        b"X",
        b"Z",
        b"@",
        b"b",
        b"d",
        b"g",
        b"r",
        b"J",
    ]
    screen = fed(b"x" + b"".join(b"\x1b[" + count + b";" + count + final for final in finals), cols=500, rows=200)
    assert screen.size == (500, 200)


def test_every_size_from_one_cell_on():
    r = random.Random(1)
    screen = Screen(80, 24, 50)
    for seed in range(60):
        screen.feed(streams.torture(seed, 4)[0])
        screen.resize(r.choice([1, 2, 3, 80, 500]), r.choice([1, 2, 24, 200]))
        again = Screen(*screen.size, 50)
        again.feed(screen.vt())
        assert again.size == screen.size


events = st.lists(
    st.one_of(
        st.builds(lambda seed: streams.torture(seed, 2)[0], st.integers(0, 10**6)),
        st.binary(max_size=12),
        st.builds(Resize, st.integers(1, 100), st.integers(1, 40)),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(events, st.integers(1, 40), st.integers(0, 40))
def test_output_may_be_cut_anywhere(stream, step, scrollback):
    whole, cut = Screen(80, 24, scrollback), Screen(80, 24, scrollback)
    for event in stream:
        if isinstance(event, Resize):
            whole.resize(*event)
            cut.resize(*event)
        else:
            whole.feed(event)
            for at in range(0, len(event), step):
                cut.feed(event[at : at + step])
    assert (cut.text(scrollback), cut.cursor) == (whole.text(scrollback), whole.cursor)


def test_without_the_compiled_part_it_says_so(monkeypatch):
    monkeypatch.setattr(module, "WHY_MISSING", "the terminal emulator was not compiled: no reason")
    with pytest.raises(EmulatorMissing, match="was not compiled"):
        Screen(80, 24)


def test_the_module_can_be_imported_without_it():
    program = (
        "import sys; sys.modules['web_terminal_suite.server.screen._emulator'] = None\n"
        "from web_terminal_suite.server.screen import screen\n"
        "print(bool(screen.WHY_MISSING))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
