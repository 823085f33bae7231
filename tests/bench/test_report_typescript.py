"""The TypeScript declarations of the page's data: up to date, and what the generator makes of a schema."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from web_terminal_suite.bench.report.html import typescript

FILE = Path(__file__).parents[2] / "frontend/report/src/data.ts"


def declared(source: str) -> str:
    (node,) = ast.parse(source).body
    return typescript._declaration(node, "")


def test_the_declarations_are_those_of_the_schema():
    if FILE.read_text() != typescript.declarations():
        pytest.fail(f"{FILE.name} is stale; write it again with: {typescript.COMMAND}")


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ("str", "string"),
        ("int | None", "number | null"),
        ("list[float | None]", "(number | null)[]"),
        ("list[Other]", "Other[]"),
        ("tuple[str, bool]", "[string, boolean]"),
        ("dict[str, float]", "Record<string, number>"),
        ("dict[Other, float]", "Partial<Record<Other, number>>"),
        ("Literal['', 'a']", "'' | 'a'"),
    ],
)
def test_a_type_is_translated(python, expected):
    assert declared(f"X = {python}") == f"export type X = {expected};\n"


def test_a_structure_keeps_its_docstrings():
    source = """
class X(msgspec.Struct):
    '''What ``X`` is.'''

    a: str
    '''``None`` for none.'''
    b: int = 0
"""
    assert declared(source) == (
        "/** What `X` is. */\nexport interface X {\n  /** `null` for none. */\n  a: string;\n  b: number;\n}\n"
    )


def test_a_default_that_is_left_out_makes_its_field_optional():
    source = "class X(msgspec.Struct, omit_defaults=True):\n    a: Literal['', 'b'] = ''\n    c: str"
    assert declared(source) == "export interface X {\n  a?: 'b';\n  c: string;\n}\n"


def test_a_named_tuple_is_a_tuple_with_names():
    assert declared("class X(NamedTuple):\n    a: int\n    b: str") == "export type X = [a: number, b: string];\n"


@pytest.mark.parametrize("python", ["set[int]", "a.b", "list[a.b]"])
def test_what_has_no_translation_is_an_error(python):
    with pytest.raises(typescript.NoTypeScript, match="has no translation"):
        declared(f"X = {python}")
