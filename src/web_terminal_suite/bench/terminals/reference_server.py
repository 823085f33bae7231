"""The reference server: it answers after delays that we set, so that the suite itself can be checked.

Each echo and each command line waits a delay drawn from a seed that both sides know. A busy machine makes a delay
longer than it was set. That is no error of measurement, so the server says how long each one became (both processes
read the same monotonic clock), and that is the truth; it can never be shorter than set.
"""

from __future__ import annotations

from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.terminal import Capability, Role


class ReferenceServer(NullServer):
    """The null server with a delay before each answer."""

    name = "known"
    role: Role = "known"
    capabilities = frozenset({Capability.KNOWN_DELAYS, Capability.PROCESSES})

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @property
    def command(self) -> tuple[str, ...]:
        return (*super().command, "--delays", str(self.seed))
