"""Jupyter Server: terminado's protocol behind a REST API that makes and ends terminals."""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.peer import Peer
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.client.address import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.client.dialect import Dialect

# It listens on the loopback for the length of a benchmark; with a token it asks for no XSRF cookie.
_TOKEN = "token-of-a-benchmark"


class JupyterServer(Peer):
    name = "jupyter-server"
    abilities = frozenset()
    remedy = "install it in the same environment as this suite: pip install jupyter-server jupyter-server-terminals"

    def missing(self) -> str:
        both = find_spec("jupyter_server") and find_spec("jupyter_server_terminals")
        return "" if both else f"jupyter-server is not installed; {self.remedy}"

    def version(self) -> str:
        parts = ("jupyter-server-terminals", "terminado", "tornado")
        others = ", ".join(f"{name} {metadata.version(name)}" for name in parts)
        return f"{metadata.version('jupyter-server')} ({others})"

    def dialect(self) -> Dialect:
        from web_terminal_suite.client.dialects.terminado import JupyterDialect

        return JupyterDialect()

    def address(self, port: int) -> Address:
        return super().address(port)._replace(token=_TOKEN)

    def environment(self, directory: str) -> Mapping[str, str]:
        # Without the user's configuration, and without changing it.
        places = {f"JUPYTER_{name}_DIR": directory for name in ("CONFIG", "DATA", "RUNTIME")}
        return {"JUPYTER_TOKEN": _TOKEN, "JUPYTER_NO_CONFIG": "1", **places}

    def command(self, port: int) -> tuple[str, ...]:
        return (
            sys.executable, "-m", "jupyter_server", "--ip=127.0.0.1", f"--port={port}", "--no-browser", "--allow-root",
            "--ServerApp.port_retries=0", "--ServerApp.jpserver_extensions={'jupyter_server_terminals': True}",
            "--log-level=ERROR",
            f"--ServerApp.terminado_settings={{'shell_command': ['{SHELL}']}}",
        )  # fmt: skip
