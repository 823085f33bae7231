"""What the bare loopback is measured against: ``python -m web_terminal_suite.bench.terminals.loopback_peer``.

Sends back all it receives, on one connection after the other, with blocking calls: the fastest way to answer.
Prints its port on its first line of output, lives until SIGTERM.
"""

from __future__ import annotations

import socket

_READ_BYTES = 1 << 16


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := connection.recv(_READ_BYTES):
                    connection.sendall(data)


if __name__ == "__main__":
    main()
