"""Which terminals there are, by name. A peer adds a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal.bench.terminals.known import KnownTruth
from web_terminal.bench.terminals.loopback import Loopback
from web_terminal.bench.terminals.null import NullServer
from web_terminal.bench.terminals.raw_pty import RawPty
from web_terminal.bench.terminals.web_terminal import RemoteWebTerminal, WebTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from web_terminal.bench.terminals.terminal import Terminal

SUBJECTS: dict[str, Callable[[], Terminal]] = {WebTerminal.name: WebTerminal}
"""Terminals that are judged."""


class UnknownTerminal(Exception):
    """No terminal has this name."""


def choose(names: Sequence[str], url: str, token: str, seed: int) -> tuple[Terminal, ...]:
    """The terminals of a run: those named, or ours; or the server at ``url``; and always the floors.

    Raises:
        UnknownTerminal: the text names those there are.
        ValueError: ``url`` is none.
    """
    for name in names:
        if name not in SUBJECTS:
            raise UnknownTerminal(f"no terminal is called {name!r}; there are: {', '.join(SUBJECTS)}")
    subjects = [SUBJECTS[name]() for name in dict.fromkeys(names)]
    if url:
        subjects.append(RemoteWebTerminal(url, token))
    elif not subjects:
        subjects.append(WebTerminal())
    return (*subjects, RawPty(), Loopback(), NullServer(), KnownTruth(seed))
