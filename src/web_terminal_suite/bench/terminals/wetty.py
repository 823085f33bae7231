"""wetty: Node, node-pty and socket.io."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.peer import Peer, found, stated
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.client.dialect import Dialect


class Wetty(Peer):
    name = "wetty"
    page = "wetty"
    abilities = frozenset({Capability.PAGE})
    remedy = "install it: npm install --global wetty"
    remarks = (
        "it holds output for 2 ms on purpose, to send it in fewer messages: every echo waits for that",
        "it starts its command by env(1), one program more than the others",
    )

    def missing(self) -> str:
        return "" if found("wetty") and found("node") else f"wetty is not installed; {self.remedy}"

    def version(self) -> str:
        return f"{stated('wetty', '--version')} (node {stated('node', '--version')})"

    def dialect(self) -> Dialect:
        from web_terminal_suite.client.dialects.wetty import WettyDialect

        return WettyDialect()

    def environment(self, directory: str) -> Mapping[str, str]:
        return {"NODE_ENV": "production"}

    def command(self, port: int) -> tuple[str, ...]:
        return (
            found("node"), os.path.realpath(found("wetty")), "--host", "127.0.0.1", "--port", str(port),
            "--command", SHELL, "--log-level", "error",
        )  # fmt: skip
