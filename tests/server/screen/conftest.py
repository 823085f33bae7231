"""The oracle: xterm.js in a process of Node."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.server.screen.oracle import FRONTEND, Oracle
from web_terminal_suite.server.screen.screen import WHY_MISSING


@pytest.fixture(scope="session")
def emulator() -> None:
    """Skips the test where the emulator was not compiled."""
    if WHY_MISSING:
        pytest.skip(WHY_MISSING)


@pytest.fixture(scope="session")
def oracle(emulator: None) -> Iterator[Oracle]:
    node = shutil.which("node")
    if node is None or not (FRONTEND / "node_modules/@xterm/headless").exists():
        pytest.skip("there is no node, or no xterm.js: run npm ci in frontend/")
    with Oracle(node) as started:
        yield started
