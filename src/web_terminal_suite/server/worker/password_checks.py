"""Checks of passwords that the event loop does not wait for: one at a time, since each takes 64 MiB."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from web_terminal_suite.server.access import TooManyFailures
from web_terminal_suite.server.passwords import is_password, no_password

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A check takes tens of milliseconds or more, and strangers ask for them.
_MOST_WAITING = 16


class PasswordChecks:
    """Those of one worker."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Nobody else's password is checked meanwhile, so that each failure counts before the next check.

        Raises:
            TooManyFailures: too many wait already.
        """
        if self._waiting >= _MOST_WAITING:
            raise TooManyFailures("too many logins with passwords at once; try again")
        self._waiting += 1
        try:
            async with self._one:
                yield
        finally:
            self._waiting -= 1


async def is_right(digest: str, password: str) -> bool:
    """Whether ``digest`` is of this password. That of nobody, ``""``, takes as long."""
    return await asyncio.to_thread(lambda: is_password(digest or no_password(), password))
