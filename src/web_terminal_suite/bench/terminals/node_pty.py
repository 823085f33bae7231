"""A server as people write it by hand: Node with ``ws`` and ``node-pty``, thirty lines of ours in the next file."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.terminals.peer import Peer, found, stated
from web_terminal_suite.bench.terminals.shell_environment import SHELL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.client.dialect import Dialect

_SERVER: Final = Path(__file__).with_name("node_pty_server.cjs")
_SECONDS: Final = 20.0
_VERSIONS: Final = (
    "for (const name of ['node-pty', 'ws']) console.log(name, require(require.resolve(name + '/package.json')).version)"
)


class NodePty(Peer):
    name = "node-pty"
    abilities = frozenset()
    remedy = "install what it is made of: npm install --global node-pty ws"
    remarks = ("no product: what a page of xterm.js is usually given by hand; it holds nothing back and has no credit",)

    def missing(self) -> str:
        return "" if found("node") and _modules() else f"Node with node-pty and ws is not installed; {self.remedy}"

    def version(self) -> str:
        return f"{', '.join(_modules())} (node {stated('node', '--version')})"

    def dialect(self) -> Dialect:
        from web_terminal_suite.client.dialects.plain import PlainDialect

        return PlainDialect()

    def environment(self, directory: str) -> Mapping[str, str]:
        return {"NODE_ENV": "production", "NODE_PATH": _global_modules()}

    def command(self, port: int) -> tuple[str, ...]:
        return (found("node"), str(_SERVER), str(port), SHELL)


@functools.cache
def _global_modules() -> str:
    """Where ``npm install --global`` puts modules, which Node does not search by itself; and ``NODE_PATH`` first."""
    places = [os.environ.get("NODE_PATH", "")]
    if npm := found("npm"):
        places.append(_said(npm, "root", "--global"))
    return os.pathsep.join(filter(None, places))


@functools.cache
def _modules() -> tuple[str, ...]:
    """Both modules with their versions, or nothing where one is missing."""
    return tuple(_said(found("node"), "-e", _VERSIONS).splitlines()) if found("node") else ()


def _said(*command: str) -> str:
    environment = {**os.environ, "NODE_PATH": _global_modules()} if command[1] == "-e" else None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, env=environment, stdin=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
