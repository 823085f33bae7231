"""The conversations captured of the real ttyd and the real terminado, held with our server and with the real ones."""

from __future__ import annotations

import json
import re

import pytest

from tests.server.real import (
    HAS_JUPYTER,
    TERMINADO_PROTOCOL,
    TTYD,
    TTYD_PROTOCOL,
    CompatProtocol,
    payload_of,
    real_jupyter,
    real_ttyd,
    replay,
    vectors,
)

TITLES = ("a shell that ends well", "a shell that fails")


@pytest.fixture(scope="module")
def place_of_the_real_ttyd():
    if TTYD is None:
        pytest.skip("ttyd is not installed; put it on PATH to compare its protocol with ours")
    with real_ttyd() as each:
        yield each


@pytest.fixture(scope="module")
def place_of_the_real_jupyter():
    if not HAS_JUPYTER:
        pytest.skip("jupyter-server is not installed; pip install --group dev")
    with real_jupyter() as each:
        yield each


def said(frames: list[dict[str, str]]) -> list[bytes]:
    """What the server said then."""
    return [payload_of(frame) for frame in frames if frame["from"] == "server"]


def output(protocol: CompatProtocol, payloads: list[bytes]) -> bytes:
    return b"".join(protocol.output(payload) for payload in payloads)


def without_output(protocol: CompatProtocol, payloads: list[bytes]) -> list[bytes]:
    return [payload for payload in payloads if not protocol.output(payload)]


async def compare(protocol: CompatProtocol, place, title: str) -> str:
    """Hold it and compare all but the cuts between frames; how it ended."""
    frames = vectors(protocol)["conversations"][title]["frames"]
    async with protocol.open(place) as socket:
        heard, end = await replay(socket, protocol, frames)
    then = said(frames)
    assert output(protocol, heard) == output(protocol, then)
    now, before = without_output(protocol, heard), without_output(protocol, then)
    if protocol is TTYD_PROTOCOL:
        for each in (now, before):
            assert re.fullmatch(rb"1/bin/sh \([^)]+\)", each.pop(0))
            assert json.loads(each.pop(0)[1:]) == {}
        assert now == before == []
    else:
        assert [json.loads(each) for each in now] == [json.loads(each) for each in before] == [
            ["setup", {}], ["disconnect", 1],
        ]  # fmt: skip
    return end


@pytest.mark.parametrize("title", TITLES)
async def test_our_server_says_what_ttyd_said(ttyd, title):
    assert await compare(TTYD_PROTOCOL, ttyd, title) == ("close 1000" if title.endswith("well") else "dropped")


@pytest.mark.parametrize("title", TITLES)
async def test_our_server_says_what_terminado_said(jupyter, title):
    assert await compare(TERMINADO_PROTOCOL, jupyter, title) == "close 1000"


@pytest.mark.parametrize("title", TITLES)
async def test_the_real_terminado_says_it_still(place_of_the_real_jupyter, title):
    assert await compare(TERMINADO_PROTOCOL, place_of_the_real_jupyter, title) == "close"


async def test_the_real_ttyd_says_it_still(place_of_the_real_ttyd):
    """But for the last line: what a shell says as it ends is lost there now and then."""
    frames = vectors(TTYD_PROTOCOL)["conversations"][TITLES[0]]["frames"]
    async with TTYD_PROTOCOL.open(place_of_the_real_ttyd) as socket:
        heard, end = await replay(socket, TTYD_PROTOCOL, frames)
    then = output(TTYD_PROTOCOL, said(frames))
    assert then.startswith(output(TTYD_PROTOCOL, heard))
    assert output(TTYD_PROTOCOL, heard).startswith(then.removesuffix(b"exit 0\r\n"))
    # It asks for 1000 after status 0; whether a close frame is sent is up to the libwebsockets it was built with.
    assert end in ("dropped", "close 1000")
