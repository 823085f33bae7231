"""Wires that are not ours: each does again what it did with the real terminal, and takes whatever else may come."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.transcripts import VECTORS, replay
from web_terminal_suite.bench.terminals.registry import PEERS
from web_terminal_suite.client.dialect import Unsupported
from web_terminal_suite.client.dialects.gotty import WebttyDialect
from web_terminal_suite.client.dialects.terminado import JupyterDialect
from web_terminal_suite.client.dialects.ttyd import TtydDialect
from web_terminal_suite.client.dialects.wetty import COMMIT_CHARACTERS, WettyDialect
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import OutputBytes
from web_terminal_suite.protocol.errors import TheirError

NAMES = sorted(PEERS)
EACH = pytest.mark.parametrize("name", NAMES)


def test_every_peer_has_its_conversation() -> None:
    assert sorted(path.stem for path in VECTORS.glob("*.json")) == NAMES


@EACH
def test_it_does_again_what_it_did_with_the_real_one(name: str) -> None:
    kept = json.loads((VECTORS / f"{name}.json").read_text())
    replay(PEERS[name]().dialect(), kept["steps"])
    # Not an empty conversation: the shell computed what was asked, at both sizes.
    said = "".join(str(step.get("event")) for step in kept["steps"])
    assert "computed" in said
    assert "30 100" in said
    assert "43 132" in said


@EACH
@given(text=st.booleans(), payload=st.binary() | st.sampled_from([b"", b"[", b'42["data"]', b"[1,2]", b"1!", b"{}"]))
def test_whatever_comes_only_listed_errors_are_raised(name: str, text: bool, payload: bytes) -> None:
    with contextlib.suppress(TheirError):
        PEERS[name]().dialect().read(text, payload)


@EACH
def test_a_session_lives_and_dies_with_its_connection(name: str) -> None:
    dialect = PEERS[name]().dialect()
    with pytest.raises(Unsupported, match="session to join"):
        dialect.attach(m.Attach(session="s"))
    with pytest.raises(Unsupported, match="choice of shell"):
        dialect.attach(m.Attach(spec=m.SessionSpec(shell="/bin/bash")))
    with pytest.raises(Unsupported, match="signal message"):
        dialect.signal("SIGINT")
    first, second = dialect.output(b"abc"), dialect.output(b"de")
    assert (first, second) == (OutputBytes(0, b"abc"), OutputBytes(3, b"de"))


def test_credentials_go_where_each_wire_has_them() -> None:
    basic = {"Authorization": "Basic dXNlcjpwYXNz"}
    ttyd, webtty = TtydDialect(), WebttyDialect()
    assert ttyd.headers("user:pass") == webtty.headers("user:pass") == basic
    assert json.loads(ttyd.attach(m.Attach())[0].payload)["AuthToken"] == "dXNlcjpwYXNz"
    assert json.loads(webtty.attach(m.Attach())[0].payload)["AuthToken"] == "user:pass"
    assert JupyterDialect().headers("t") == {"Authorization": "token t"}


def test_wetty_is_told_of_characters_drawn_and_answers_pings() -> None:
    dialect = WettyDialect()
    assert dialect.acknowledge(COMMIT_CHARACTERS - 1) is None
    frame = dialect.acknowledge(COMMIT_CHARACTERS + 5)
    assert frame is not None
    assert frame.payload == b'42["commit",262144]'
    assert dialect.acknowledge(COMMIT_CHARACTERS * 2 - 1) is None
    assert dialect.acknowledge(COMMIT_CHARACTERS * 2) is not None
    assert dialect.read(True, b"2") is None
    assert [frame.payload for frame in dialect.owed] == [b"3"]
