"""The table of errors, walked both ways: documents, enumeration, and every place that raises or closes."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

from tests.protocol.test_docs import TEXT, rows
from web_terminal_suite.client import attach
from web_terminal_suite.protocol import errors
from web_terminal_suite.protocol.error_codes import CONSEQUENCES, CloseCode, ErrorCode

ROOT = pathlib.Path(__file__).parents[2]
SOURCE = ROOT / "src" / "web_terminal_suite"
TABLE = SOURCE / "protocol" / "error_codes.py"

# What takes a code as its first argument, or names one itself.
ERRORS = {"TheirError", "Refusal", "SpawnFailed"}
# Close codes that no error has, and the module that closes with each.
WITHOUT_ERROR = {
    CloseCode.NORMAL: "server/worker",
    CloseCode.PROTOCOL_ERROR: "server/worker/message_connection.py",
    CloseCode.SERVICE_RESTART: "server/worker/main.py",
}
EXHAUSTION = {
    ErrorCode.NO_PTY, ErrorCode.NO_MEMORY, ErrorCode.NO_PROCESS, ErrorCode.NO_DESCRIPTOR, ErrorCode.HOST_LOST,
}  # fmt: skip


def sources() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(SOURCE)): ast.parse(path.read_text())
        for room in ("protocol", "server")
        for path in sorted((SOURCE / room).rglob("*.py"))
        if path != TABLE
    }


def named(enumeration: str) -> dict[str, set[str]]:
    """Members of an enumeration that each module names."""
    return {
        name: {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == enumeration
        }
        for name, tree in sources().items()
    }


def test_every_code_has_a_row():
    assert list(CONSEQUENCES) == list(ErrorCode)


def test_the_document_shows_the_table():
    shown = {row[0].strip("`"): (row[1], int(row[2])) for row in rows("Error codes")}
    assert shown == {
        code.value: ("none" if told.close is None else str(int(told.close)), int(told.status))
        for code, told in CONSEQUENCES.items()
    }


def test_every_code_is_raised_somewhere():
    used = set().union(*named("ErrorCode").values())
    assert used == {code.name for code in ErrorCode}


def test_every_error_is_made_with_a_member_of_the_table():
    for name, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                code = node.args[0]
                assert not isinstance(code, ast.Constant), f"{name}:{node.lineno} names its code as text"


def test_a_code_without_a_row_is_an_error_of_ours():
    with pytest.raises(KeyError):
        errors.TheirError("no_such_code", "of another table")


def test_every_close_code_is_reached():
    by_table = {told.close for told in CONSEQUENCES.values() if told.close is not None}
    assert by_table | set(WITHOUT_ERROR) == set(CloseCode)
    assert not by_table & set(WITHOUT_ERROR)
    used = named("CloseCode")
    for code, place in WITHOUT_ERROR.items():
        assert any(code.name in names for module, names in used.items() if module.startswith(place)), code


def test_a_failure_of_ours_and_exhaustion_are_not_the_clients_fault():
    for code, told in CONSEQUENCES.items():
        ours = code in EXHAUSTION | {ErrorCode.NO_ANSWER, ErrorCode.GOING_AWAY, ErrorCode.INTERNAL_ERROR}
        if code is ErrorCode.DRAINING:  # not theirs either; its close code tells pages not to connect again
            assert told == (CloseCode.DRAINING, 503)
            continue
        assert (told.status >= 500) == ours, code
        assert ((told.close is not None and 1011 <= told.close < 4000) or told.close == 1001) == ours, code
    for code in EXHAUSTION:
        assert CONSEQUENCES[code] == (CloseCode.TRY_AGAIN_LATER, 503)
    assert CONSEQUENCES[ErrorCode.INTERNAL_ERROR] == (CloseCode.INTERNAL_ERROR, 500)


def test_clients_come_back_after_the_codes_that_the_document_names():
    told = re.search(r"The page reconnects after a network failure and after ([^.]*)\.", TEXT)
    documented = {int(code) for code in re.findall(r"\d{4}", told[1])}
    page = re.search(r"new Set\(\[([^\]]*)\]\)", (ROOT / "frontend/src/reconnect.ts").read_text())
    assert documented == {int(code) for code in page[1].split(",")} == set(attach._RECONNECTABLE)
    assert {CloseCode.INTERNAL_ERROR, CloseCode.TRY_AGAIN_LATER} <= documented


@pytest.mark.parametrize("code", ErrorCode)
def test_an_error_carries_its_row(code):
    error = errors.TheirError(code, "why")
    assert (error.close, error.status) == CONSEQUENCES[code]
    assert error.fatal == (error.close is not None)
