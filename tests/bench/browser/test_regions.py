"""What pixels say: on made pictures."""

from __future__ import annotations

import numpy as np
import pytest

from web_terminal_suite.bench.browser.confirmation import asked
from web_terminal_suite.bench.browser.frame_rhythm import DROPPED, LONGEST_GAP, MAIN_THREAD, rhythm
from web_terminal_suite.bench.browser.regions import displayed_ns, first_changed, first_frame, likeness
from web_terminal_suite.bench.browser.trace import DisplayedFrame, Picture, Trace

MS = 1_000_000
BLANK = np.zeros(100, np.int16)


def drawn(pixels: int, grey: int = 200) -> np.ndarray:
    picture = BLANK.copy()
    picture[:pixels] = grey
    return picture


@pytest.mark.parametrize(("pixels", "grey", "share"), [(0, 200, 1.0), (25, 200, 0.75), (25, 20, 1.0), (100, 200, 0.0)])
def test_likeness_is_the_share_of_pixels_that_are_nearly_the_same(pixels, grey, share):
    assert likeness(BLANK, drawn(pixels, grey)) == share


def test_pictures_of_two_sizes_are_not_alike():
    assert likeness(BLANK, BLANK[:50]) == 0.0
    assert first_changed(BLANK, [BLANK[:50], BLANK]) is None


def test_a_change_is_there_with_most_of_its_pixels():
    assert first_changed(BLANK, [BLANK, drawn(5), drawn(9), drawn(10)]) == 2


def test_nothing_that_changed_is_no_change():
    assert first_changed(BLANK, [BLANK, drawn(2), drawn(100, 30)]) is None


def test_each_act_is_asked_of_the_pictures_until_the_next():
    first, second = asked([0, 10, 20, 110, 120], [5, 100])
    assert (first.before, first.during) == (0, (1, 2))
    assert (second.before, second.during) == (2, (3, 4))
    assert asked([10, 20], [5]) == []


def frames(*moments_ms: int) -> Trace:
    """Frames rendered 10 ms before they are displayed; every second one is a picture."""
    shown = [DisplayedFrame(number, (at - 10) * MS, at * MS) for number, at in enumerate(moments_ms)]
    pictures = [Picture(each.sequence, each.presented_ns + MS, "") for each in shown[::2]]
    return Trace(frames=shown, pictures=[*pictures, Picture(99, 500 * MS, "")])


def test_a_picture_is_as_old_as_its_frame():
    assert displayed_ns(frames(20, 40, 60)) == [20 * MS, 60 * MS, 500 * MS]


@pytest.mark.parametrize(
    ("until_ms", "found_ms"),
    [
        (None, 60),  # the picture
        (35, 40),  # the page had drawn it in the frame before, of which there is no picture
        (100, 60),
        (5, 60),  # that frame is one that a picture shows without it
    ],
)
def test_a_frame_without_a_picture_is_found_by_when_the_page_had_drawn(until_ms, found_ms):
    until_ns = None if until_ms is None else until_ms * MS
    assert first_frame(frames(20, 40, 60), 20 * MS, 60 * MS, until_ns) == found_ms * MS


def test_the_rhythm_is_of_the_frames_between_two_moments():
    trace = Trace(frames=[DisplayedFrame(number, 0, at * MS) for number, at in enumerate((5, 100, 140, 180, 900))])
    found = {each.metric: each.y for each in rhythm(trace, 90 * MS, 290 * MS, 7)}
    assert found == {DROPPED: pytest.approx(0.75), LONGEST_GAP: 110 * MS, MAIN_THREAD: 7}
