"""terminado as documented: ``python -m web_terminal_suite.bench.terminals.terminado_server PORT SHELL``.

A shell for each connection, on 127.0.0.1 until SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import tornado.web
from terminado.management import UniqueTermManager
from terminado.websocket import TermSocket


async def serve(port: int, shell: str) -> None:
    terminals = UniqueTermManager(shell_command=[shell])
    handlers = [(r"/websocket", TermSocket, {"term_manager": terminals})]
    tornado.web.Application(handlers).listen(port, "127.0.0.1")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await terminals.kill_all()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
