"""A marker is found wherever its bytes are cut."""

from __future__ import annotations

import random

import pytest

from web_terminal_suite.client.search import Chunk, Search


def feed(search: Search, pieces: list[bytes]) -> bytes:
    """All of ``pieces``; gives what came back from behind the marker, and what was never fed."""
    offset = 0
    for number, piece in enumerate(pieces):
        rest = search.feed(Chunk(number, offset, piece))
        offset += len(piece)
        if search.found is not None:
            return (rest.data if rest else b"") + b"".join(pieces[number + 1 :])
    return b""


def cut(data: bytes, source: random.Random) -> list[bytes]:
    places = sorted(source.sample(range(1, len(data)), source.randrange(0, min(8, len(data) - 1))))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("marker", [b"M", b"abab", b"aab", b"xyz1"])
def test_any_cut_finds_the_first_marker(marker):
    source = random.Random(marker)
    for _ in range(300):
        noise = bytes(source.choices(b"abxyM1z", k=source.randrange(0, 30)))
        before = noise.split(marker)[0]
        # The end of the noise and the marker's own beginning may make an earlier one.
        data = before + marker + b"behind"
        at = data.find(marker)
        for pieces in ([data], [bytes([byte]) for byte in data], cut(data, source)):
            search = Search(marker, keep=True)
            rest = feed(search, pieces)
            assert search.found is not None
            assert search.found.offset == at + len(marker)
            assert search.found.output == data[:at]
            assert rest == data[at + len(marker) :]


def test_the_stamp_is_that_of_the_piece_that_completes_the_marker():
    search = Search(b"end")
    feed(search, [b"..e", b"n", b"d..", b"end"])
    assert search.found.seen_ns == 2


def test_nothing_is_found_in_what_only_looks_like_it():
    search = Search(b"aaab")
    assert feed(search, [b"aa", b"ab"[:1], b"aab"[:2]]) == b""
    assert search.found is None


def test_an_empty_marker_only_swallows():
    search = Search(b"")
    assert search.feed(Chunk(0, 0, b"anything")) is None
    assert search.found is None
