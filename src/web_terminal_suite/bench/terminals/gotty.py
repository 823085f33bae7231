"""gotty: Go, gorilla's WebSocket; a process for each connection, output as base64."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.peer import Peer, found, stated
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from web_terminal_suite.client.dialect import Dialect


class Gotty(Peer):
    name = "gotty"
    page = "gotty"
    abilities = frozenset({Capability.ON_REQUEST, Capability.BINARY, Capability.PAGE})
    remedy = "put a gotty on PATH: https://github.com/sorenisanerd/gotty has releases and says how to build it"
    remarks = ("output travels as base64, a third more than was written, in frames of 1,024 bytes at most",)

    def missing(self) -> str:
        return "" if found("gotty") else f"gotty is not installed; {self.remedy}"

    def version(self) -> str:
        return stated("gotty", "--version")

    def dialect(self) -> Dialect:
        from web_terminal_suite.client.dialects.gotty import WebttyDialect

        return WebttyDialect()

    def command(self, port: int) -> tuple[str, ...]:
        return (found("gotty"), "--address", "127.0.0.1", "--port", str(port), "--permit-write", SHELL)
