"""A command that does not outlive who started it: ``python pdeathsig.py PARENT COMMAND [WORD]...`` becomes ``COMMAND``.

A run that is killed cannot end what it started, and nothing else would. Asks the kernel to end this process once its
parent is gone (``prctl(2)``, ``PR_SET_PDEATHSIG``), which holds across ``execve(2)``. Imports next to nothing, since it
is part of every start of a server.
"""

from __future__ import annotations

import os
import signal
import sys
from ctypes import CDLL

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *command = sys.argv[1:]
    CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent process is gone")
    # Python ignores these, and what is ignored stays so.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {(error.strerror or str(error)).lower()}")


if __name__ == "__main__":
    main()
