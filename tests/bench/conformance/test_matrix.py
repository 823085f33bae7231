"""The matrix of behaviour on real servers: ours, the null server, and Jupyter's where they are installed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from web_terminal_suite.bench.conformance import documents
from web_terminal_suite.bench.conformance.check import Answer
from web_terminal_suite.bench.conformance.matrix import SCHEMA, Matrix, MatrixCell, MatrixRow
from web_terminal_suite.bench.conformance.table import CHECKS
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.pipeline.conformance import ConformanceOptions, run_conformance
from web_terminal_suite.bench.terminals.registry import PEERS
from web_terminal_suite.cli.conformance import conformance

YES, NO, NOT_APPLICABLE = Answer.YES, Answer.NO, Answer.NOT_APPLICABLE


def answers(matrix: Matrix, terminal: str) -> dict[str, Answer]:
    return {each.check: each.answer for each in matrix.cells if each.terminal == terminal}


def test_ours_and_the_null_server() -> None:
    told: list[str] = []
    matrix = run_conformance(ConformanceOptions(terminals=("web-terminal", "null-server")), told.append)
    assert matrix.is_whole
    assert len(told) == len(matrix.cells) == 2 * len(CHECKS)
    ours = answers(matrix, "web-terminal")
    # A paste is guarded by the page.
    assert ours.pop("hostile-paste") is NOT_APPLICABLE
    assert set(ours.values()) == {YES}
    null = answers(matrix, "null-server")
    assert null.pop("exit-status") is NO
    assert null.pop("foreign-origin") is NO
    assert set(null.values()) == {NOT_APPLICABLE}
    assert all(any(character.isdigit() for character in each.evidence) for each in matrix.cells if each.answer is YES)
    _documents(matrix)


def _documents(matrix: Matrix) -> None:
    assert json.loads(documents.json(matrix))["schema"] == SCHEMA
    text = documents.text(matrix)
    assert "again: web-terminal conformance --terminal null-server --only foreign-origin" in text
    markdown = documents.markdown(matrix)
    assert "| A page of another site is refused | yes | no |" in markdown
    assert markdown.startswith("## Behaviour\n")


@pytest.mark.parametrize("name", ["terminado", "wetty"])
def test_a_peer_whose_sessions_end_with_their_connections(name: str) -> None:
    if missing := PEERS[name]().missing():
        pytest.skip(missing)
    only = ("output-over-cut", "split-characters", "exit-status", "login")
    matrix = run_conformance(ConformanceOptions(terminals=(name,), only=only))
    found = answers(matrix, name)
    assert matrix.is_whole
    assert (found["output-over-cut"], found["exit-status"], found["login"]) == (NO, NO, NOT_APPLICABLE)


def test_a_cell_that_cannot_be_run_is_none_of_the_answers() -> None:
    cell = MatrixCell("t", "login", Answer.NOT_RUN, "it did not start | <b>\x1b[31m", "web-terminal conformance")
    matrix = Matrix(SCHEMA, {"t": "1"}, (MatrixRow("login", "?"),), (cell,), ("wetty is not installed",))
    assert not matrix.is_whole
    assert "\\| &lt;b>" in documents.markdown(matrix)
    assert "\x1b" not in documents.text(matrix) + documents.json(matrix)
    assert "not asked: wetty is not installed" in documents.text(matrix)


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(OptionsError, match="no check is called 'logins'; there are: output-over-cut"):
        run_conformance(ConformanceOptions(only=("logins",)))
    with pytest.raises(OptionsError, match="no terminal is called 'tty'"):
        run_conformance(ConformanceOptions(terminals=("tty",)))
    refused = CliRunner().invoke(conformance, ["--only", "login", "--output", "/nowhere/x.md"])
    assert refused.exit_code == 2
    names = [each.name for each in CHECKS]
    assert len(set(names)) == len(names)
