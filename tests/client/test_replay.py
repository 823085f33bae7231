"""A replay without queries: whole, byte by byte, and up to its end."""

from __future__ import annotations

import random

import pytest

from web_terminal_suite.client.replay import Replay

QUERIES = [
    b"\x05", b"\x1bZ", b"\x1b[c", b"\x1b[0c", b"\x1b[>c", b"\x1b[=c", b"\x1b[5n", b"\x1b[6n", b"\x1b[?6n",
    b"\x1b[?996n",
    b"\x1b[?2026$p", b"\x1b[4$p", b"\x1b[1$w", b"\x1b[>0q", b"\x1b[?u", b"\x1b[?4m", b"\x1b[0x", b"\x1b[14t",
    b"\x1b[18t",
    b"\x1b[21t", b"\x1b]10;?\x07", b"\x1b]11;?\x1b\\", b"\x1b]4;1;?\x07", b"\x1b]4;1;?;2;?\x1b\\", b"\x1b]52;c;?\x07",
    b"\x1bP$qm\x1b\\", b"\x1bP+q544e\x1b\\", b"\x1b[1;1;1;1;2;2*y",
]  # fmt: skip
KEPT = [
    b"text", "漢—".encode(), b"\x1b[1;31m", b"\x1b[>4;2m", b"\x1b[?1049h", b"\x1b[2J", b"\x1b[8;24;80t", b"\x1b[22;0t",
    b"\x1b]0;?\x07", b"\x1b]2;what?\x1b\\", b"\x1b]8;;http://a/?b\x07", b"\x1b]52;c;YQ==\x07", b"\x1b]10;#fff\x07",
    b"\x1bP1$r0m\x1b\\", b"\x1b[2 q", b"\x1b7", b"\x1b(B", b"\x1b[>4n", b"\x1b[u", b"\x1b[5;5$x",
]  # fmt: skip


def mixed(seed: int) -> tuple[bytes, bytes]:
    """Output with queries, and the same without."""
    chance = random.Random(seed)
    parts = [(each, True) for each in KEPT * 3] + [(each, False) for each in QUERIES * 3]
    chance.shuffle(parts)
    return b"".join(each for each, _ in parts), b"".join(each for each, kept in parts if kept)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_left_out(query):
    assert Replay(1000).show(b"a" + query + b"b", len(query) + 2) == b"ab"


@pytest.mark.parametrize("other", KEPT)
def test_everything_else_is_shown(other):
    assert Replay(1000).show(b"a" + other + b"b", len(other) + 2) == b"a" + other + b"b"


def test_any_cut_gives_the_same():
    for seed in range(20):
        output, expected = mixed(seed)
        chance = random.Random(seed)
        for largest in (1, 7, 200):
            replay, shown, at = Replay(len(output)), b"", 0
            while at < len(output):
                piece = output[at : at + chance.randint(1, largest)]
                at += len(piece)
                shown += replay.show(piece, at)
            assert shown == expected


def test_live_output_comes_unchanged_also_in_the_frame_that_ends_the_replay():
    replay = Replay(4)
    assert replay.show(b"\x1b[6n\x1b[6nx", 9) == b"\x1b[6nx"
    assert replay.show(b"\x1b[c", 12) == b"\x1b[c"


def test_a_sequence_in_which_the_replay_ends_is_live():
    replay = Replay(3)
    assert replay.show(b"a\x1b[", 3) == b"a\x1b["
    assert replay.show(b"6n", 5) == b"6n"


def test_a_sequence_without_end_is_held_up_to_a_limit():
    replay = Replay(1 << 20)
    endless = b"\x1b]0;" + b"?;" * 50_000
    assert replay.show(endless, len(endless)) == endless
    assert replay.show(b"x", len(endless) + 1) == b"x"
