"""ttyd: C, libwebsockets and libuv; a process for each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.peer import Peer, found, stated
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from web_terminal_suite.client.dialect import Dialect


class Ttyd(Peer):
    name = "ttyd"
    page = "ttyd"
    abilities = frozenset({Capability.ON_REQUEST, Capability.BINARY, Capability.PAGE})
    remedy = "put a ttyd on PATH: https://github.com/tsl0922/ttyd has releases and says how to build it"
    remarks = (
        "compression is not offered here; a browser offers it, and ttyd then takes it, which costs time and memory",
    )

    def missing(self) -> str:
        return "" if found("ttyd") else f"ttyd is not installed; {self.remedy}"

    def version(self) -> str:
        return stated("ttyd", "--version")

    def dialect(self) -> Dialect:
        from web_terminal_suite.client.dialects.ttyd import TtydDialect

        return TtydDialect()

    def command(self, port: int) -> tuple[str, ...]:
        # Without --writable it ignores input; it logs only errors, so that logging is not what is measured.
        return (found("ttyd"), "--interface", "127.0.0.1", "--port", str(port), "--writable", "--debug", "1", SHELL)
