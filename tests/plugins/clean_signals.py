"""Programs that the tests start have the usual signals, even where the tests themselves run under ``nohup`` or ``&``.

An ignored signal is inherited through ``execve(2)``, so a server or benchmark started by a test would ignore the SIGINT
or SIGHUP that the test sends. A signal with a handler is set to its default there. So it is given one that does
nothing: the test run still survives the end of its terminal.
"""

from __future__ import annotations

import signal

INHERITED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


def pytest_configure() -> None:
    for number in INHERITED:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)
