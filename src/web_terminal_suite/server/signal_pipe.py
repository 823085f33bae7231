"""Signals as something to read: a descriptor that is readable when some came."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class SignalPipe:
    """Receives these signals from now on, in place of what they do to a process.

    SIGHUP stays ignored where it is: nohup's wish to outlive the terminal is kept.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._receiver, sender = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in numbers:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda _number, _frame: None)
        # A full pipe means that a wake-up is under way already.
        signal.set_wakeup_fd(sender, warn_on_full_buffer=False)

    def fileno(self) -> int:
        return self._receiver

    def read(self) -> set[int]:
        """Those that came; several of a kind are one."""
        try:
            return set(os.read(self._receiver, 4096))
        except BlockingIOError:
            return set()
