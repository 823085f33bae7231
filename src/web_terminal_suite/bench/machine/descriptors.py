"""How many files a process may open: what most machines start with is too few for a thousand sessions."""

from __future__ import annotations

import resource
from typing import Final

OF_A_CLIENT: Final = 20_000
"""Beyond it another client process is better than more sessions in this one."""


def raise_descriptors(most: int = OF_A_CLIENT) -> None:
    """Raise the soft limit of open files for this process and its children, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
