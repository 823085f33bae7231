"""terminado: the terminals of Jupyter by themselves, on Tornado; a process for each connection."""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.peer import Peer
from web_terminal_suite.bench.terminals.shell_environment import SHELL

if TYPE_CHECKING:
    from web_terminal_suite.client.dialect import Dialect


class Terminado(Peer):
    name = "terminado"
    abilities = frozenset()
    remedy = "install it in the same environment as this suite: pip install terminado"
    remarks = ("a library: it is served by a dozen lines of ours, as its documentation shows it",)

    def missing(self) -> str:
        return "" if find_spec("terminado") else f"terminado is not installed; {self.remedy}"

    def version(self) -> str:
        return f"{metadata.version('terminado')} (tornado {metadata.version('tornado')})"

    def dialect(self) -> Dialect:
        from web_terminal_suite.client.dialects.terminado import TerminadoDialect

        return TerminadoDialect()

    def command(self, port: int) -> tuple[str, ...]:
        return (sys.executable, "-m", "web_terminal_suite.bench.terminals.terminado_server", str(port), SHELL)
