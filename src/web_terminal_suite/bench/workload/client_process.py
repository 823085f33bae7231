"""Further client processes, for work that must not delay this one. Their messages are defined by their users."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from typing import IO, Final

_END_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.005


class ClientProcess:
    """A client process and our end of its socket."""

    def __init__(self, module: str) -> None:
        """Start ``module``, whose standard input is the other end; it must end once that one is at its end.

        Raises:
            OSError: no process or no socket is to be had.
        """
        # Imported here: naming the benchmarks must not cost what only measuring needs.
        import subprocess

        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by ``reap``
        self.socket, theirs = socket.socketpair()
        try:
            # A session of its own: Ctrl-C is for the parent, which then ends its children.
            self._process = subprocess.Popen(
                (sys.executable, "-m", module),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError:
            self.socket.close()
            self._errors.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_words(self) -> str:
        """How it ended, and the last line it wrote to its standard error."""
        status = self._process.poll()
        ended = "hung up" if status is None else f"ended with {status}"
        if self._errors.closed:
            return ended
        size = os.fstat(self._errors.fileno()).st_size
        lines = os.pread(self._errors.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").strip().splitlines()
        return f"{ended}: {lines[-1]}" if lines else ended

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def reap(self) -> None:
        """Kill it where it still runs, collect its status, close what is ours."""
        self.kill()
        self._process.wait()
        self.socket.close()
        self._errors.close()


async def ended(process: ClientProcess) -> None:
    """Return when it has ended, or has been given the time for that."""
    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    while not process.is_over and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_POLL_SECONDS)  # uvloop offers no way to wait for a child that it did not start
