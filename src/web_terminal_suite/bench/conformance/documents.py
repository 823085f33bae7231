"""A matrix as text, Markdown or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.printable import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.bench.conformance.matrix import Matrix


def text(matrix: Matrix) -> str:
    """Each terminal with its answers, a line each, with evidence and command."""
    lines = []
    width = max((len(each.name) for each in matrix.checks), default=0)
    for name, version in matrix.versions.items():
        lines.append(f"{name} {version}".rstrip())
        for cell in (each for each in matrix.cells if each.terminal == name):
            lines.append(f"  {cell.check:<{width}}  {cell.answer:<14}  {cell.evidence}")
            lines.append(f"  {'':<{width}}  {'':<14}  again: {cell.command}")
    lines += [f"not asked: {each}" for each in matrix.missing]
    return printable("\n".join(lines) + "\n")


def markdown(matrix: Matrix) -> str:
    """A section: the matrix, and below it the evidence of each cell."""
    answers = {(each.terminal, each.check): each.answer for each in matrix.cells}
    names = list(matrix.versions)
    lines = [
        "## Behaviour",
        "",
        "What each terminal does on the wire, asked by `web-terminal conformance`. The evidence follows, with the "
        "command that asks a cell again.",
        "",
        _row(("", *names)),
        _row(["---"] * (len(names) + 1)),
        *(
            _row((each.question, *(str(answers.get((name, each.name), "")) for name in names)))
            for each in matrix.checks
        ),
        "",
    ]
    lines += [f"Not asked: {_escaped(each)}.\n" for each in matrix.missing]
    for name, version in matrix.versions.items():
        lines += [
            f"### Evidence: {_escaped(f'{name} {version}'.rstrip())}",
            "",
            _row(("check", "answer", "evidence", "again")),
        ]
        lines.append(_row(["---"] * 4))
        lines += [
            _row((f"`{cell.check}`", str(cell.answer), cell.evidence, f"`{cell.command}`"))
            for cell in matrix.cells
            if cell.terminal == name
        ]
        lines.append("")
    return printable("\n".join(lines))


def json(matrix: Matrix) -> str:
    """The matrix as one JSON object, of the schema that it names."""
    return printable_json(msgspec.json.format(msgspec.json.encode(matrix)).decode()) + "\n"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


FORMATS: Final[dict[str, Callable[[Matrix], str]]] = {"text": text, "markdown": markdown, "json": json}
