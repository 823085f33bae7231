"""The OpenAPI document of a route table."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.server.worker.http.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from web_terminal_suite.server.worker.http.operation import Operation

# What any request may meet: no credentials, a wrong Host or Origin, too many failed logins, a failure of the server.
_ALWAYS = (401, 403, 429, 500)
_OF_A_BODY = (400, 413, 422)


def document(
    operations: Iterable[tuple[str, Operation]], title: str, version: str, schemes: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """OpenAPI 3.1 of operations, each with the path it is mounted at; ``schemes`` are the ways clients authenticate."""
    found = list(operations)
    types = [kind for _, each in found for kind in (each.result, each.body) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(map(_key, [*types, Problem]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for mount, each in found:
        path = mount + each.path
        paths.setdefault(path, {})[each.method.lower()] = _operation(path, each, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": schemes},
        "security": [{name: []} for name in schemes],
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(path: str, operation: Operation, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": operation.summary, "operationId": _identifier(path, operation)}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    if operation.query is not None:
        # A Struct's schema is a reference to a component; its fields are what the query may contain.
        _, components = msgspec.json.schema_components([operation.query])
        fields = components[operation.query.__name__]["properties"]
        parameters += [{"name": name, "in": "query", "required": False, "schema": fields[name]} for name in fields]
    if parameters:
        found["parameters"] = parameters
    if operation.body is not None:
        schema = schema_of[_key(operation.body)]
        found["requestBody"] = {
            "content": {"application/json": {"schema": schema}},
            "required": {"type": "null"} not in schema.get("anyOf", ()),
        }
    found["responses"] = _responses(operation, schema_of)
    return found


def _responses(operation: Operation, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(operation.status).description}
    if operation.result is not None:
        answer["content"] = {operation.media_type: {"schema": schema_of[_key(operation.result)]}}
    statuses = {*_ALWAYS, *operation.errors}
    if operation.body is not None:
        statuses |= {*_OF_A_BODY}
    if operation.query is not None:
        statuses |= {422}
    problem = {"application/json": {"schema": schema_of[_key(Problem)]}}
    refusals = {
        str(status): {"description": HTTPStatus(status).description or HTTPStatus(status).phrase, "content": problem}
        for status in sorted(statuses)
    }
    return {str(operation.status): answer, **refusals}


def _identifier(path: str, operation: Operation) -> str:
    words = [*re.split(r"\W+", path), *operation.handler.__name__.split("_")]
    return "".join(word[:1].upper() + word[1:] for word in words)
