"""The page's declarations of the messages are those of the protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol import typescript

FILE = Path(__file__).parents[2] / "frontend/src/messages.ts"


def test_the_messages_of_the_page_are_those_of_the_protocol():
    if FILE.read_text() != typescript.declarations():
        pytest.fail(f"{FILE.name} is stale; write it again with: make types, or {typescript.COMMAND}")


def test_every_message_is_declared_once_and_is_in_a_union():
    text = typescript.declarations()
    for each in {*typescript.CLIENT, *typescript.SERVER}:
        assert text.count(f"export interface {each.__name__} {{") == 1
        assert f"\n  | {each.__name__}" in text
