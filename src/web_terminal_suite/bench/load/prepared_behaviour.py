"""A declared behaviour at work in one session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from web_terminal_suite.client.errors import ClientError, TimedOut

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from web_terminal_suite.bench.load.behaviour import Behaviour, Operation
    from web_terminal_suite.bench.load.virtual_user import VirtualUser

T = TypeVar("T")


class BehaviourFailed(Exception):
    """A behaviour raised what is no failure of the terminal; the text says which, and in which line."""


class PreparedBehaviour:
    """A behaviour in one session during one stage. While it works, the connection's output is its own to read."""

    def __init__(self, behaviour: Behaviour, user: VirtualUser) -> None:
        self._behaviour = behaviour
        self._user = user
        self._operation: asyncio.Future[Operation] = asyncio.get_running_loop().create_future()

    async def hold(self, over: asyncio.Event) -> None:
        """Prepare the session, and leave it as it was found once the stage is ``over``.

        Raises:
            BehaviourFailed
        """
        user, manager = self._user, self._behaviour.prepare(self._user)
        try:
            async with user.turn, user.reading():
                operation = await self._translated(manager.__aenter__())
        except ClientError as error:
            self._operation.set_exception(error)
            self._operation.exception()  # it is raised in each operation, of which there may be none
            return
        self._operation.set_result(operation)
        await over.wait()
        try:
            async with user.turn, user.reading():
                await self._translated(manager.__aexit__(None, None, None))
        except ClientError:
            # Nobody knows what is on its screen: a later stage must not type into that.
            user.connection.abort()
            user.ended()

    async def operate(self) -> int:
        """One operation; when it was complete.

        Raises:
            ClientError: the operation failed, or the session could not be prepared.
            BehaviourFailed
        """
        operation = await asyncio.shield(self._operation)
        async with self._user.reading():
            seen_ns = await self._translated(operation())
        if not isinstance(seen_ns, int):
            name, kind = self._behaviour.name, type(seen_ns).__name__
            raise BehaviourFailed(f"behaviour {name}: its operation gave a {kind}; let it give now_ns()")
        return seen_ns

    async def _translated(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except ClientError:
            raise
        except TimeoutError as error:
            raise TimedOut(self._behaviour.name, self._user.connection.timeout) from error
        except Exception as error:
            raise BehaviourFailed(f"behaviour {self._behaviour.name}{_place(error)}: {_text(error)}") from error


def _place(error: Exception) -> str:
    """The line of the user's module that an error came from."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        if "web_terminal_suite" not in trace.tb_frame.f_globals.get("__name__", ""):
            found = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
        trace = trace.tb_next
    return found


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
