"""A server that serves the compatible protocols as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN, serving
from tests.server.real import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serving

FLAGS = ("--ttyd-path", "/ttyd", "--terminado-path", "/jupyter")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def compat_server() -> Iterator[Serving]:
    """One server for the tests of a module that leave it as it was."""
    with serving(*FLAGS, "--login-attempts-per-minute", "1000") as each:  # wrong tokens are among what is tried
        yield each


@pytest.fixture
def ttyd(compat_server) -> Place:
    """Where that server serves ttyd's protocol."""
    return Place(compat_server.port, "/ttyd", BEARER)


@pytest.fixture
def jupyter(compat_server) -> Place:
    """Where that server has Jupyter's terminals."""
    return Place(compat_server.port, "/jupyter", BEARER)
