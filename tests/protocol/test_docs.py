"""docs/protocol.md is the code: messages, fields, states, close codes, errors, binary kinds."""

from __future__ import annotations

import pathlib
import re

import msgspec
import pytest

from tests.protocol.examples import CLIENT, SERVER
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Kind, Subprotocol
from web_terminal_suite.protocol.compat import terminado, ttyd
from web_terminal_suite.protocol.conversation import Side, State, allowed
from web_terminal_suite.protocol.error_codes import CloseCode

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def rows(title: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    section = re.split(r"^#+ ", TEXT.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    # A bar inside a cell is written with a backslash.
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def fields(cell: str) -> dict[str, tuple[bool, str | None]]:
    """Name to (may be left out, default), out of cells such as ``[`cols`=80], `name`, [`status`] or [`signal`]``."""
    found = {}
    cell = re.sub(r"\((?:[^()]*)\)", "", cell)
    for optional, name, default in re.findall(r"(\[?)`(\w+)`(?:=((?:`[^`]*`|[^`,\]\\])+))?", cell):
        if name not in ("write", "read", "base64", "utf"):
            found[name] = (bool(optional), default.strip("`") or None)
    return found


def documented(title: str) -> dict[str, dict[str, tuple[bool, str | None]]]:
    return {row[0].strip("`"): fields(row[1]) for row in rows(title)}


def of_class(type_: type[msgspec.Struct]) -> dict[str, tuple[bool, str | None]]:
    found = {}
    for field in msgspec.structs.fields(type_):
        default = None if field.default in (None, msgspec.NODEFAULT) else str(field.default)
        found[field.encode_name] = (not field.required, default.lower() if default in ("True", "False") else default)
    return found


@pytest.mark.parametrize(("title", "types"), [("Client messages", CLIENT), ("Server messages", SERVER)])
def test_messages_and_their_fields(title, types):
    told = documented(title)
    assert set(told) == {m.kind(type_) for type_ in types}
    for type_ in types:
        actual = of_class(type_)
        shown = told[m.kind(type_)]
        assert {name: optional for name, (optional, _) in shown.items()} == {
            name: optional for name, (optional, _) in actual.items()
        }, m.kind(type_)
        for name, (_, default) in shown.items():
            if default is not None:
                assert default == actual[name][1], (m.kind(type_), name)


@pytest.mark.parametrize(("word", "type_"), [("spec", m.SessionSpec), ("limits", m.ResourceLimits)])
def test_fields_of_what_stands_inside_messages(word, type_):
    sentence = re.search(rf"`{word}` has ([^.;]*)", TEXT).group(1)
    assert fields(sentence).keys() == set(type_.__struct_fields__)
    assert all(optional for optional, _ in fields(sentence).values())


def test_states():
    told = {row[0].strip("`"): [set(re.findall(r"`(\w+)`", cell)) for cell in row[1:]] for row in rows("States")}
    assert told == {state.value: [set(allowed(side, state)) for side in (Side.CLIENT, Side.SERVER)] for state in State}


def test_close_codes():
    told = {int(row[0]): row[1].strip("`") for row in rows("Close codes")}
    assert told == {int(code): code.name.lower() for code in CloseCode}


def test_subprotocols_and_kinds():
    assert [row[0].strip("`") for row in rows("WebSocket")] == [each.value for each in Subprotocol]
    told = {int(value, 16): name for value, name in re.findall(r"^\| `(0x\d\d)` (\w+) ", TEXT, re.MULTILINE)}
    assert told == {int(kind): kind.name.lower() for kind in Kind}


def test_the_compat_protocols():
    kinds = {(row[0].split("`")[1], row[1]) for row in rows("ttyd protocol") if len(row) == 4}
    client = {kind for kind, direction in kinds if direction == "client to server"}
    assert client == {"{", "0", "1", "2", "3"}
    for kind in client:
        ttyd.decode_client({"{": b"{}", "1": b'1{"columns":1,"rows":1}'}.get(kind, kind.encode()))
    server = {kind for kind, direction in kinds if direction == "server to client"}
    heard = {kind: type(ttyd.decode_server(b"2{}" if kind == "2" else kind.encode())) for kind in server}
    assert heard == {"0": ttyd.TtydOutput, "1": ttyd.Title, "2": ttyd.Preferences}
    section = TEXT.split("# ttyd protocol\n")[1].split("## REST\n")[0]
    codes = {int(code) for row in re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE) for code in row.split(",")}
    assert codes <= {int(code) for code in CloseCode}
    for message in (terminado.SETUP.payload, terminado.DISCONNECT.payload):
        assert f"`{message.decode()}`" in section
