"""An asynchronous command run to its end, or until somebody ends it, on uvloop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


def run(what: Coroutine[Any, Any, None]) -> None:
    """Run it. SIGTERM, and SIGHUP where nobody has it ignored, end it as Ctrl-C does.

    Raises:
        KeyboardInterrupt: after everything that was started has ended.
    """
    import asyncio
    import signal

    import uvloop

    ended = False

    async def until_ended() -> None:
        task = asyncio.current_task()
        assert task is not None  # this is one

        def end() -> None:
            nonlocal ended
            if not ended:  # a second one must not interrupt the tidying up after the first
                ended = True
                task.cancel()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, end)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            loop.add_signal_handler(signal.SIGHUP, end)
        await what

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_ended())
    except asyncio.CancelledError:
        if ended:
            raise KeyboardInterrupt from None
        raise
