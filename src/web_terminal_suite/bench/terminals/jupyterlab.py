"""JupyterLab: Jupyter Server with its page. On the wire it is that server, so only its page is measured."""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.jupyter import JupyterServer
from web_terminal_suite.bench.terminals.peer import found, stated
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping


class JupyterLab(JupyterServer):
    name = "jupyterlab"
    page = "jupyterlab"
    abilities = frozenset({Capability.PAGE})
    remedy = "install it: pip install jupyterlab jupyter-server-terminals; or put jupyter-lab on PATH"
    remarks = ("its page has a side bar, so its terminal is narrower than the others' in the same viewport",)

    def missing(self) -> str:
        return "" if self._program() else f"jupyterlab is not installed; {self.remedy}"

    def version(self) -> str:
        if find_spec("jupyterlab"):
            return metadata.version("jupyterlab")
        return stated(*self._program(), "--version")

    def environment(self, directory: str) -> Mapping[str, str]:
        # Workspaces and settings are the page's own, and gone with the directory.
        places = {f"JUPYTERLAB_{name}_DIR": directory for name in ("WORKSPACES", "SETTINGS")}
        own = {**super().environment(directory), **places}
        # An installation elsewhere has its page below its own data directory, which it finds by itself.
        own.pop("JUPYTER_DATA_DIR")
        return own

    def command(self, port: int) -> tuple[str, ...]:
        return (
            *self._program(), "--ip=127.0.0.1", f"--port={port}", "--no-browser", "--allow-root",
            "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
            "--ServerApp.jpserver_extensions={'jupyterlab': True, 'jupyter_server_terminals': True}",
            "--log-level=ERROR", f"--ServerApp.terminado_settings={{'shell_command': ['{SHELL}']}}",
        )  # fmt: skip

    def _program(self) -> tuple[str, ...]:
        """Of the same environment as this suite, or on PATH; empty where there is none."""
        if find_spec("jupyterlab") and find_spec("jupyter_server_terminals"):
            return (sys.executable, "-m", "jupyterlab")
        on_path = found("jupyter-lab")
        return (on_path,) if on_path else ()
