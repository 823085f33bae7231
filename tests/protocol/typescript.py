"""The messages of the protocol as TypeScript, for ``frontend/src/messages.ts``.

The file is committed, because the page is developed, checked and built without Python; a test fails where it is stale.
``make types`` writes it again, as does::

    python -m tests.protocol.typescript > frontend/src/messages.ts
"""

from __future__ import annotations

import inspect
import json
import sys
import types
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from web_terminal_suite.bench.report.html.typescript import tsdoc
from web_terminal_suite.protocol import messages

COMMAND = "python -m tests.protocol.typescript > frontend/src/messages.ts"
HEADER = f"""\
/**
 * The messages of both sides as JSON: types, checks of what a server sends, defaults of what a client sends.
 *
 * Generated from `src/web_terminal_suite/protocol/messages.py`; do not edit. Write it again with:
 *
 *     {COMMAND}
 */

import type {{ Defaults, Fields }} from './fields';
import {{ flag, integer, nested, number, object, oneOf, optional, text, texts }} from './fields';
"""
CLIENT = get_args(messages.ClientMessage)
SERVER = get_args(messages.ServerMessage)
ALIASES = {hint: name for name, hint in vars(messages).items() if get_origin(hint) is Literal}
CHECKS = {str: "text", int: "integer", float: "number", bool: "flag", tuple[str, ...]: "texts"}
TYPES = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    types.NoneType: "null",
    tuple[str, ...]: "readonly string[]",
    dict[str, str]: "Readonly<Record<string, string>>",
}
Struct = type[msgspec.Struct]


def declarations() -> str:
    """The whole file."""
    parts = [HEADER]
    parts += [f"export type {name} = {_union(get_args(hint))};\n" for hint, name in ALIASES.items()]
    parts += [_interface(each) for each in _parts_of(CLIENT)]
    # What both sides send is declared once.
    parts += [_interface(each, received=True) for each in (*_parts_of(SERVER), *SERVER) if each not in CLIENT]
    parts += [_interface(each) for each in CLIENT]
    for name, classes in (("ClientMessage", CLIENT), ("ServerMessage", SERVER)):
        members = "".join(f"\n  | {each.__name__}" for each in classes)
        parts.append(f"export type {name} ={members};\n")
    checks = "".join(f"  {messages.kind(each)}: {_fields(each, '  ')},\n" for each in SERVER)
    parts.append(f"export const SERVER_MESSAGES: Readonly<Record<ServerMessage['type'], Fields>> = {{\n{checks}}};\n")
    defaults = "".join(f"  {messages.kind(each)}: {_defaults(each, '  ')},\n" for each in CLIENT)
    parts.append(
        f"export const CLIENT_DEFAULTS: Readonly<Record<ClientMessage['type'], Defaults>> = {{\n{defaults}}};\n"
    )
    return "\n".join(parts)


def _parts_of(classes: tuple[Struct, ...]) -> list[Struct]:
    """The structures inside messages, the innermost first."""
    found: dict[Struct, None] = {}
    for each in classes:
        for hint in get_type_hints(each).values():
            for part in (hint, *get_args(hint)):
                if _is_struct(part):
                    found |= dict.fromkeys((*_parts_of((part,)), part))
    return list(found)


def _interface(struct: Struct, *, received: bool = False) -> str:
    """A structure; of what is received every field is there, since the decoder fills in the defaults."""
    tag = struct.__struct_config__.tag
    lines = [f"  readonly type: '{tag}';"] if tag else []
    for field, hint in _typed(struct):
        optional = "" if received or field.required else "?"
        lines.append(f"  readonly {field.encode_name}{optional}: {_type(hint)};")
    # A docstring that is not inherited.
    comment = tsdoc(inspect.cleandoc(vars(struct).get("__doc__") or ""))
    return "\n".join([f"{comment}export interface {struct.__name__} {{", *lines, "}\n"])


def _type(hint: Any) -> str:
    if hint in ALIASES:
        return ALIASES[hint]
    if get_origin(hint) is Literal:
        return _union(get_args(hint))
    if isinstance(hint, types.UnionType):
        return " | ".join(_type(each) for each in get_args(hint))
    return hint.__name__ if _is_struct(hint) else TYPES[hint]


def _fields(struct: Struct, indent: str) -> str:
    """The checks of a structure's fields."""
    lines = []
    for field, hint in _typed(struct):
        parts = [each for each in get_args(hint) if each is not types.NoneType]
        check = _check(parts[0] if isinstance(hint, types.UnionType) else hint, indent + "  ")
        if not field.required:
            check = f"optional({check}, {_value(field.default)})"
        lines.append(f"{indent}  {field.encode_name}: {check},\n")
    return "{\n" + "".join(lines) + indent + "}"


def _check(hint: Any, indent: str) -> str:
    if get_origin(hint) is Literal:
        return f"oneOf({', '.join(_quoted(each) for each in get_args(hint))})"
    return f"object({_fields(hint, indent)})" if _is_struct(hint) else CHECKS[hint]


def _defaults(struct: Struct, indent: str) -> str:
    """The values that a structure's fields have when they are not sent."""
    lines = []
    for field, hint in _typed(struct):
        if field.required:
            continue
        part = next((each for each in get_args(hint) if _is_struct(each)), None)
        made = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        value = f"nested({_defaults(part, indent + '  ')})" if part else _value(made)
        lines.append(f"{indent}  {field.encode_name}: {value},\n")
    return "{\n" + "".join(lines) + indent + "}" if lines else "{}"


def _typed(struct: Struct) -> list[tuple[msgspec.structs.FieldInfo, Any]]:
    hints = get_type_hints(struct)
    return [(field, hints[field.name]) for field in msgspec.structs.fields(struct)]


def _value(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _union(values: tuple[str, ...]) -> str:
    return " | ".join(_quoted(value) for value in values)


def _quoted(value: str) -> str:
    return f"'{value}'"


def _is_struct(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


if __name__ == "__main__":
    sys.stdout.write(declarations())
