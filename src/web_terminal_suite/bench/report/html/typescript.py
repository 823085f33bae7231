"""The schema of the page as TypeScript, for ``frontend/report/src/data.ts``.

The declarations are read from the source of ``html.schema``, so that names, order and docstrings are kept. The file is
committed, because the page is developed, checked and built without Python; a test fails where it is stale. ``make
types`` writes it again, and so does::

    python -m web_terminal_suite.bench.report.html.typescript > frontend/report/src/data.ts
"""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import Path

SCHEMA = Path(__file__).parent / "schema"
MODULES = ("charts", "terminal_comparison", "page")
COMMAND = "python -m web_terminal_suite.bench.report.html.typescript > frontend/report/src/data.ts"
HEADER = f"""\
/**
 * The data that a report is given. Text is printed as it is, arrays are drawn as they are.
 *
 * Generated from `src/web_terminal_suite/bench/report/html/schema`; do not edit. Write it again with:
 *
 *     {COMMAND}
 */
"""
WIDTH = 120
PRIMITIVES = {"str": "string", "int": "number", "float": "number", "bool": "boolean"}


class NoTypeScript(Exception):
    """The schema uses something that this generator does not translate; the text says what and where."""


def declarations() -> str:
    """The whole file.

    Raises:
        NoTypeScript: a declaration of the schema cannot be translated.
    """
    parts = [HEADER]
    for name in MODULES:
        tree = ast.parse((SCHEMA / f"{name}.py").read_text(encoding="utf-8"), name)
        parts += [text for node, doc in _documented(tree.body) if (text := _declaration(node, doc))]
    return "\n".join(parts)


def _documented(body: list[ast.stmt]) -> list[tuple[ast.stmt, str]]:
    """Each statement with the string that follows it."""
    followed = [*body[1:], None]
    return [(node, _text(after)) for node, after in zip(body, followed, strict=True)]


def _text(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def _declaration(node: ast.stmt, doc: str) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        if isinstance(node.value, ast.Constant):
            return f"{tsdoc(doc)}export const {name} = {ast.unparse(node.value)};\n"
        return f"{tsdoc(doc)}export type {name} = {_type(node.value)};\n"
    if isinstance(node, ast.ClassDef):
        return _class(node)
    return ""


def _class(node: ast.ClassDef) -> str:
    head = tsdoc(ast.get_docstring(node) or "")
    fields = [(field, doc) for field, doc in _documented(node.body) if isinstance(field, ast.AnnAssign)]
    if any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases):
        members = ", ".join(f"{_name(field)}: {_type(field.annotation)}" for field, _ in fields)
        return f"{head}export type {node.name} = [{members}];\n"
    lean = any(each.arg == "omit_defaults" for each in node.keywords)
    lines = [f"{tsdoc(doc, '  ')}  {_field(field, lean)};" for field, doc in fields]
    return "\n".join([f"{head}export interface {node.name} {{", *lines, "}\n"])


def _field(field: ast.AnnAssign, lean: bool) -> str:
    """One field; where defaults are left out it may be missing, and the default itself never occurs."""
    if lean and field.value is not None:
        default = field.value.value if isinstance(field.value, ast.Constant) else None
        return f"{_name(field)}?: {_type(field.annotation, without=default)}"
    return f"{_name(field)}: {_type(field.annotation)}"


def _name(field: ast.AnnAssign) -> str:
    if not isinstance(field.target, ast.Name):
        raise NoTypeScript(f"line {field.lineno}: a field without a name")
    return field.target.id


def _type(node: ast.expr, without: object = None) -> str:
    if isinstance(node, ast.Constant) and node.value is None:
        return "null"
    if isinstance(node, ast.Name):
        return PRIMITIVES.get(node.id, node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return f"{_type(node.left)} | {_type(node.right)}"
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _generic(node.value.id, inside, without)
    raise NoTypeScript(f"line {node.lineno}: {ast.unparse(node)} has no translation")


def _generic(name: str, inside: list[ast.expr], without: object) -> str:
    if name == "Literal":
        values = [str(each.value) for each in inside if isinstance(each, ast.Constant)]
        return " | ".join(f"'{value}'" for value in values if value != without)
    types = [_type(each) for each in inside]
    if name == "list":
        return f"({types[0]})[]" if "|" in types[0] else f"{types[0]}[]"
    if name == "tuple":
        return f"[{', '.join(types)}]"
    if name == "dict":
        record = f"Record<{types[0]}, {types[1]}>"
        # Keys of a closed set need not all be there.
        return record if types[0] == "string" else f"Partial<{record}>"
    raise NoTypeScript(f"line {inside[0].lineno}: {name} has no translation")


def tsdoc(doc: str, indent: str = "") -> str:
    """A docstring as TSDoc."""
    paragraphs = [
        " ".join(each.split()) for each in doc.replace("``None``", "``null``").replace("``", "`").split("\n\n")
    ]
    if not paragraphs[0]:
        return ""
    line = f"{indent}/** {paragraphs[0]} */\n"
    if len(paragraphs) == 1 and len(line) <= WIDTH:
        return line
    margin = f"{indent} * "
    wrapped = f"\n{indent} *\n".join(
        textwrap.fill(each, WIDTH, initial_indent=margin, subsequent_indent=margin) for each in paragraphs
    )
    return f"{indent}/**\n{wrapped}\n{indent} */\n"


if __name__ == "__main__":
    sys.stdout.write(declarations())
