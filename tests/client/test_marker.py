"""Markers are computed by the shell, never typed."""

from __future__ import annotations

import random
import subprocess

import pytest

from web_terminal_suite.client.marker import LINE_LIMIT_BYTES, Marker, Markers, wrapped


def test_what_is_typed_does_not_hold_what_is_seen():
    markers = Markers(random.Random(1))
    for marker in (markers.fresh() for _ in range(1000)):
        assert marker.seen not in marker.command.encode()
        assert marker.seen not in wrapped("ls", marker, markers.fresh()).encode()


def test_no_two_are_alike_and_a_seed_repeats_them():
    first, second = Markers(random.Random(7)), Markers(random.Random(7))
    seen = [first.fresh().seen for _ in range(1000)]
    assert len(set(seen)) == 1000
    assert seen == [second.fresh().seen for _ in range(1000)]
    assert not any(one in other for one in seen[:50] for other in seen[:50] if one != other)


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(
    ("line", "output", "status"),
    [("echo 'a b'", b"a b\n", 0), ("(exit 3)", b"", 3), ("echo x # y", b"x\n", 0), ("false; true", b"", 0)],
)
def test_a_wrapped_line_runs_as_it_was_typed(shell, line, output, status):
    begin, end = Marker("AB", "CD"), Marker("EF", "GH")
    ran = subprocess.run([shell, "-c", wrapped(line, begin, end)], capture_output=True, check=False, timeout=10)
    assert ran.stdout == b"ABCD" + output + b"EFGH%d;" % status


@pytest.mark.parametrize("line", ["a\nb", "a\rb", "x" * LINE_LIMIT_BYTES])
def test_a_line_that_no_terminal_takes_is_refused(line):
    with pytest.raises(ValueError, match=r"newline|bytes"):
        wrapped(line, Marker("A", "B"), Marker("C", "D"))
