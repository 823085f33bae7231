"""Which terminals there are, by name. A peer adds a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.gotty import Gotty
from web_terminal_suite.bench.terminals.jupyter import JupyterServer
from web_terminal_suite.bench.terminals.loopback import Loopback
from web_terminal_suite.bench.terminals.node_pty import NodePty
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.peer import Peer, RemotePeer
from web_terminal_suite.bench.terminals.raw_pty import RawPty
from web_terminal_suite.bench.terminals.reference_server import ReferenceServer
from web_terminal_suite.bench.terminals.terminado import Terminado
from web_terminal_suite.bench.terminals.ttyd import Ttyd
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal, WebTerminal
from web_terminal_suite.bench.terminals.wetty import Wetty

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from web_terminal_suite.bench.terminals.terminal import Terminal

PEERS: dict[str, type[Peer]] = {each.name: each for each in (Ttyd, Gotty, Terminado, JupyterServer, Wetty, NodePty)}
"""Terminals of others."""

SUBJECTS: dict[str, Callable[[], Terminal]] = {WebTerminal.name: WebTerminal, **PEERS}
"""Terminals that are judged."""

FLOORS = (RawPty.name, Loopback.name, NullServer.name, ReferenceServer.name)
"""Names of those that are not."""


PROTOCOLS: dict[str, type[Peer]] = {**PEERS, "plain": NodePty}
"""What may stand before the URL of a server of others; ``plain`` is any that sends text frames as they are."""

EVERY = "all"
"""Stands for every one of ``SUBJECTS``."""


class UnknownTerminal(Exception):
    """No terminal has this name."""


def choose(
    names: Sequence[str], urls: Sequence[str], token: str, seed: int, own: Sequence[type[Terminal]] = ()
) -> tuple[Terminal, ...]:
    """The terminals of a run: those named, those at ``urls``, or ours where there is neither; and always the floors.

    The names are those of ``SUBJECTS`` and of ``own``.

    The name ``all`` stands for every terminal there is.

    A URL is of a server of ours, or of a peer's where its name stands before it: ``ttyd=http://127.0.0.1:7681/``.

    Raises:
        UnknownTerminal: the text names those there are.
        ValueError: one of ``urls`` is none.
    """
    known: dict[str, Callable[[], Terminal]] = {**SUBJECTS, **{each.name: each for each in own}}
    peers = {**PROTOCOLS, **{each.name: each for each in own if issubclass(each, Peer)}}
    named = dict.fromkeys(each for name in names for each in (known if name == EVERY else (name,)))
    subjects = [known[_known(name, known)]() for name in named]
    for url in dict.fromkeys(urls):
        subjects.append(_told_apart(remote(url, token, peers), subjects))
    return (*(subjects or [WebTerminal()]), RawPty(), Loopback(), NullServer(), ReferenceServer(seed))


def remote(url: str, token: str, peers: Mapping[str, type[Peer]] = PROTOCOLS) -> RemoteWebTerminal | RemotePeer:
    """The terminal at ``URL`` (a server of ours) or ``NAME=URL``.

    Raises:
        UnknownTerminal, ValueError: as ``choose``.
    """
    name, equals, rest = url.partition("=")
    if not equals or "/" in name:  # a URL may hold an equals sign of its own
        return RemoteWebTerminal(url, token)
    if name == WebTerminal.name:
        return RemoteWebTerminal(rest, token)
    return RemotePeer(peers[_known(name, peers)](), rest, token, name)


def _told_apart(remote: RemoteWebTerminal | RemotePeer, others: Sequence[Terminal]) -> Terminal:
    """``remote``, by where it is if another of the run has its name: samples are kept by the name."""
    names = {each.name for each in others}
    address = remote.address
    for name in (remote.name, f"{remote.name} at {address.authority}", f"{remote.name} at {address.websocket('/')}"):
        if name not in names:
            remote.name = name
            return remote
    raise ValueError(f"{address.websocket('/')} is named twice; measure one terminal twice with --self-check")


def _known(name: str, names: Mapping[str, object]) -> str:
    if name not in names:
        raise UnknownTerminal(f"no terminal is called {name!r}; there are: {', '.join(names)}; or {EVERY}")
    return name
