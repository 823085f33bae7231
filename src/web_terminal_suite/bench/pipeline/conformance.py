"""The matrix of behaviour, from options to what was found."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from web_terminal_suite.bench.conformance.matrix import Matrix, ask, chosen
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.machine.descriptors import raise_descriptors
from web_terminal_suite.bench.pipeline.bench import check_running
from web_terminal_suite.bench.pipeline.event_loop import run_until_signal
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.registry import UnknownTerminal, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.bench.conformance.check import Check
    from web_terminal_suite.bench.terminals.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class ConformanceOptions:
    """What ``run_conformance`` asks, and whom; all checks without ``only``, our terminal where none is named."""

    terminals: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    token: str = ""
    only: tuple[str, ...] = ()


def run_conformance(options: ConformanceOptions, say: Callable[[str], None] = lambda line: None) -> Matrix:
    """Every check on every terminal. Blocks, on an event loop of its own.

    Raises:
        OptionsError: there is no such terminal or check, or a server that is to run already does not answer.
        KeyboardInterrupt: a signal ended it.
    """
    checks = chosen(options.only)
    terminals, urls = _terminals(options)
    raise_descriptors()
    run_until_signal(check_running(terminals))
    found: list[Matrix] = []

    def command(terminal: Terminal, check: Check) -> str:
        where = ("--url", urls[terminal.name]) if terminal.name in urls else ("--terminal", terminal.name)
        return shlex.join(("web-terminal", "conformance", *where, "--only", check.name))

    async def asked() -> None:
        found.append(await ask(terminals, checks, command, say))

    run_until_signal(asked())
    return found[0]


def _terminals(options: ConformanceOptions) -> tuple[tuple[Terminal, ...], dict[str, str]]:
    """Whom to ask, and the URLs of those that run already, by name and without their tokens."""
    names = [each for each in options.terminals if each != NullServer.name]
    only_null = NullServer.name in options.terminals and not names and not options.urls
    try:
        known = () if only_null else choose(names, options.urls, options.token, seed=0)
    except (UnknownTerminal, ValueError) as error:
        raise OptionsError(str(error)) from error
    subjects = tuple(each for each in known if each.role == "subject")
    named = dict(zip((each.name for each in subjects[::-1]), dict.fromkeys(options.urls[::-1]), strict=False))
    urls = {name: url.partition("#")[0] for name, url in named.items()}
    null = (NullServer(),) if NullServer.name in options.terminals else ()
    return (*subjects, *null), urls
