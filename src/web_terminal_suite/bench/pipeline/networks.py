"""The network of a run or a load: read from options, measured before anything else, and kept in the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.network.conditions import Network, parse
from web_terminal_suite.bench.network.recovery import network_facts, recover
from web_terminal_suite.bench.terminals.peer import RemotePeer
from web_terminal_suite.bench.terminals.remote_page import RemotePage
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from web_terminal_suite.bench.pipeline.recording import Recording
    from web_terminal_suite.bench.terminals.terminal import Terminal


def network_of(text: str, terminals: Sequence[Terminal]) -> Network | None:
    """The network that ``text`` names, which these terminals can be reached through; ``None`` without text.

    Raises:
        OptionsError
    """
    if not text:
        return None
    try:
        network = parse(text)
    except OptionsError as error:
        raise OptionsError(f"--network: {error}") from error
    for each in terminals:
        if isinstance(each, RemotePeer | RemoteWebTerminal | RemotePage) and each.address.secure:
            raise OptionsError(
                f"--network: https://{each.address.authority}/ cannot be reached through a network of the suite, since "
                "its certificate is for that name; name an http:// URL, such as that of the server behind its proxy"
            )
    return network


def with_network(machine: dict[str, Any], network: Network | None) -> dict[str, Any]:
    """``Run.machine``, which says what network the run is made through; as it is where there is none."""
    return machine if network is None else {**machine, "network": network_facts(network)}


async def recover_network(network: Network | None, seed: int, recording: Recording, say: Callable[[str], None]) -> None:
    """Measure the network, where there is one, and keep what was found.

    Raises:
        NotRecovered: it does not do what was set.
    """
    if network is None:
        return
    found = await recover(network, seed)
    recording.network_recovered(found)
    say(found.summary())
