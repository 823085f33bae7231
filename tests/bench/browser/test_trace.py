"""The analysis of traces: on a small recorded one, and on made ones whose truth is known."""

from __future__ import annotations

import json
import pathlib

import pytest

from web_terminal_suite.bench.browser.clock import ClockWrong, check
from web_terminal_suite.bench.browser.confirmation import confirm, questions
from web_terminal_suite.bench.browser.stamps import KeyStamps, LostKey, key_stamps
from web_terminal_suite.bench.browser.trace import DisplayedFrame, Mark, Picture, Trace, page_trace

RECORDED = json.loads((pathlib.Path(__file__).parent / "traces" / "late_frame.json").read_text())
MS = 1_000_000


def test_a_recorded_trace_gives_every_step_of_each_key():
    """Chromium 156: three keys into `cat`; the last one's frame is begun with one number and drawn with a later one."""
    trace = page_trace(RECORDED, "F")
    stamps = key_stamps(trace, through_socket=True)
    assert len(stamps) == 3
    for each in stamps:
        assert each.pressed_ns < each.sent_ns < each.received_ns < each.parsed_ns < each.presented_ns
    steps = [[round((at - each.pressed_ns) / MS, 1) for at in each[1:5]] for each in stamps]
    assert steps == [[1.5, 5.0, 5.7, 18.8], [0.9, 3.5, 3.8, 13.8], [1.0, 10.4, 12.7, 61.2]]
    assert [each.sequence for each in stamps] == [1093, 1098, 1107]


def test_another_page_s_events_are_not_taken_for_this_one_s():
    assert page_trace(RECORDED, "another") == Trace()


def test_keys_from_before_the_trace_are_left_out():
    first = page_trace(RECORDED, "F").keys_ns[0]
    assert len(page_trace(RECORDED, "F", first + 1).keys_ns) == 2


def traced(keys: int = 3, late_ns: int = 0) -> Trace:
    """A key every 100 ms: sent after 1 ms, received after 2, parsed after 3, rendered after 5, displayed after 9."""
    starts = [number * 100 * MS for number in range(1, keys + 1)]
    return Trace(
        keys_ns=starts,
        sent_ns=[at + 1 * MS for at in starts],
        received_ns=[at + 2 * MS for at in starts],
        requested_ns=[at + 3 * MS for at in starts],
        frames=[
            DisplayedFrame(number, at + 5 * MS + late_ns, at + 9 * MS + late_ns)
            for number, at in enumerate([50 * MS, *starts])
        ],
        pictures=[Picture(number, at + 10 * MS + late_ns, "") for number, at in enumerate([50 * MS, *starts])],
    )


def test_a_page_without_a_socket_has_keys_and_frames_only():
    stamps = key_stamps(traced(), through_socket=False)
    assert [each[1:4] for each in stamps] == [(None, None, None)] * 3
    assert [each.presented_ns - each.pressed_ns for each in stamps] == [9 * MS] * 3
    assert stamps[0].marks == {}


@pytest.mark.parametrize(
    ("field", "missing"),
    [("sent_ns", "frame sent"), ("received_ns", "frame received"), ("frames", "frame displayed")],
)
def test_a_key_that_is_not_seen_to_its_end_says_what_did_not_come(field, missing):
    trace = traced()
    del getattr(trace, field)[-1]
    assert key_stamps(trace, through_socket=True)[-1] == LostKey(trace.keys_ns[-1], missing)


def test_two_keys_that_one_frame_shows_have_its_time():
    trace = traced(2)
    del trace.frames[1]
    first, second = key_stamps(trace, through_socket=True)
    assert (first.sequence, first.presented_ns) == (second.sequence, second.presented_ns)
    assert first.received_ns < second.received_ns


def answered(trace: Trace) -> list:
    """As the pictures have it: each glyph in the first picture after its key."""
    return [(each, each.during[0]) for each in questions(trace)]


def test_pictures_confirm_stamps_that_name_their_frame():
    trace = traced()
    found = confirm(trace, key_stamps(trace, through_socket=True), answered(trace))
    assert found.holds
    assert (found.keys, found.confirmed) == (3, 3)


def test_pictures_catch_the_time_of_receiving_in_place_of_the_displayed():
    trace = traced()
    stamps = [each._replace(presented_ns=each.received_ns) for each in key_stamps(trace, through_socket=True)]
    found = confirm(trace, stamps, answered(trace))
    assert not found.holds
    assert str(found) == "pictures contradict 3 of 3 stamps: key 1 is stamped 7.0 ms before the frame that shows it"


def test_pictures_catch_a_key_that_was_shown_and_is_said_to_be_lost():
    trace = traced(1)
    found = confirm(trace, [LostKey(trace.keys_ns[0], "frame displayed")], answered(trace))
    assert str(found).endswith("key 1 has no frame displayed, and its glyph was on the screen")


def test_too_few_pictures_confirm_nothing():
    trace = traced()
    found = confirm(trace, key_stamps(trace, through_socket=True), [(each, None) for each in questions(trace)])
    assert not found.holds
    assert str(found) == "pictures confirm 0 of 3 stamps"


def test_a_trace_on_another_clock_is_refused():
    mark = Mark("mark", 10 * MS, 0)
    check([mark], 9 * MS, 11 * MS)
    with pytest.raises(ClockWrong, match=r"4\.000 ms apart"):
        check([mark], 14 * MS, 15 * MS)
    with pytest.raises(ClockWrong, match="lacks the mark"):
        check([], 0, 1)


def test_stamps_are_what_a_sample_keeps():
    (stamp,) = key_stamps(traced(1), through_socket=True)
    assert isinstance(stamp, KeyStamps)
    assert {name: at - stamp.pressed_ns for name, at in stamp.marks.items()} == {
        "sent": MS, "received": 2 * MS, "parsed": 3 * MS,
    }  # fmt: skip
