"""What becomes of bytes on their way: characters in pieces, hostile pastes, queries of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.conformance.check import Answer, Check, CheckResult
from web_terminal_suite.bench.workload.shells import ready_shell
from web_terminal_suite.client.errors import TimedOut

if TYPE_CHECKING:
    from web_terminal_suite.bench.benchmark import BenchmarkContext

_CHARACTERS: Final = "\N{EURO SIGN}\N{GRINNING FACE}".encode()
_HOSTILE: Final = b"\x1b[200~harmless\x1b[201~\recho run\r\x1b[201~"
_QUERY: Final = b"\x1b[6n"
_REPLY: Final = b"\x1b[5;7R"
_REPLY_SECONDS: Final = 5.0


async def _split_characters(context: BenchmarkContext) -> CheckResult:
    program = "; sleep 0.1; ".join(f"printf '\\{byte:03o}'" for byte in _CHARACTERS)
    async with ready_shell(context) as shell:
        output = (await shell.connection.run(program)).output
    evidence = f"2 characters written as {len(_CHARACTERS)} single bytes, 0.1 s apart, came as {output.hex(' ')}"
    return CheckResult(Answer.YES if output == _CHARACTERS else Answer.NO, evidence)


async def _hostile_paste(context: BenchmarkContext) -> CheckResult:
    mark, end = context.markers.fresh(), context.markers.fresh()
    async with ready_shell(context) as shell:
        connection = shell.connection
        line = f"stty raw -echo; {mark.command}; head -c {len(_HOSTILE)} | od -An -v -tx1; stty sane; {end.command}\r"
        connection.input(line.encode())
        await connection.wait_for(mark.seen)
        connection.input(_HOSTILE)
        try:
            found = await connection.wait_for(end.seen, _REPLY_SECONDS, keep=True)
        except TimedOut:
            return CheckResult(
                Answer.YES, f"of a paste of {len(_HOSTILE)} bytes that ends itself early, only a part arrived"
            )
    came = bytes.fromhex(found.output.decode())
    if came == _HOSTILE:
        return CheckResult(
            Answer.NOT_APPLICABLE,
            f"the server passes on a paste of {len(_HOSTILE)} bytes that ends itself early as it is; guarding against "
            "it is left to the page, which is not asked here",
        )
    return CheckResult(Answer.YES, f"of a paste that ends itself early {len(came)} bytes arrived, changed")


async def _queries(context: BenchmarkContext) -> CheckResult:
    mark, end = context.markers.fresh(), context.markers.fresh()
    async with ready_shell(context) as shell:
        connection = shell.connection
        # `cat` ends when nothing has come for a second.
        program = "printf '\\033[6n'; cat | od -An -v -tx1; stty sane"
        connection.input(f"stty raw -echo min 0 time 10; {mark.command}; {program}; {end.command}\r".encode())
        await connection.wait_for(mark.seen)
        await connection.wait_for(_QUERY)
        connection.input(_REPLY)
        found = await connection.wait_for(end.seen, _REPLY_SECONDS, keep=True)
    again = found.output.count(_QUERY)
    came = bytes.fromhex(found.output.replace(_QUERY, b"").decode())
    times = "once" if not again else f"{1 + again} times"
    evidence = f"a query for the cursor came {times}; one reply of {len(_REPLY)} bytes was sent, {len(came)} were read"
    return CheckResult(Answer.YES if came == _REPLY and not again else Answer.NO, evidence)


CHECKS: Final = (
    Check("split-characters", "Characters written in pieces arrive whole", _split_characters),
    Check("hostile-paste", "A paste that ends itself early is defused", _hostile_paste),
    Check("queries-answered-once", "A program's query reaches the page once, and its answer the program", _queries),
)
