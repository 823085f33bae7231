"""Who is let in: clients without credentials, pages of other sites."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.conformance.check import Answer, Check, CheckResult
from web_terminal_suite.bench.workload.shells import destroy
from web_terminal_suite.client.errors import Closed, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.bench.terminals.terminal import Running
    from web_terminal_suite.client.dialect import Dialect

_FOREIGN: Final = "http://attacker.example"


async def _login(context: BenchmarkContext) -> CheckResult:
    address = context.running.addresses[0]
    if not address.token:
        return CheckResult(Answer.NOT_APPLICABLE, "it was started without a login, as its documentation starts it")
    return await _refused(replace(context.running, addresses=(address._replace(token=""),)), "without credentials")


async def _origin(context: BenchmarkContext) -> CheckResult:
    def foreign() -> Dialect:
        dialect = context.running.dialect()
        own = dialect.headers

        def headers(token: str) -> Mapping[str, str]:
            return {**own(token), "Origin": _FOREIGN}

        dialect.headers = headers  # type: ignore[method-assign]  # of this one object
        return dialect

    return await _refused(replace(context.running, dialect=foreign), f"with Origin {_FOREIGN}")


async def _refused(running: Running, how: str) -> CheckResult:
    """Whether a session can be had."""
    try:
        async with running.connect() as connection:
            await connection.attach()
            await destroy(connection)
    except (Refused, Closed) as error:
        return CheckResult(Answer.YES, f"a client {how} got no session: {error}")
    return CheckResult(Answer.NO, f"a client {how} got a session")


CHECKS: Final = (
    Check("login", "A client without credentials is refused", _login, frozenset()),
    Check("foreign-origin", "A page of another site is refused", _origin, frozenset()),
)
