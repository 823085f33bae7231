"""A coroutine run to its end, or until a signal ends it, on uvloop."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


def run_until_signal(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it. SIGTERM, and SIGHUP unless it is handled or ignored, end it as Ctrl-C does.

    Raises:
        KeyboardInterrupt: after everything that was started has ended.
    """
    is_ended = False

    async def until_signal() -> None:
        task = asyncio.current_task()
        assert task is not None  # this is one

        def end() -> None:
            nonlocal is_ended
            if not is_ended:  # a second signal must not interrupt the cleanup after the first
                is_ended = True
                task.cancel()

        with _signals(end):
            await coroutine

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_signal())
    except asyncio.CancelledError:
        if is_ended:
            raise KeyboardInterrupt from None
        raise


@contextmanager
def _signals(end: Callable[[], None]) -> Iterator[None]:
    """Call ``end`` for the signals that ask a program to end; the caller's handlers are back after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
