"""What counts as one address where clients are counted."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def peer_address(transport: asyncio.BaseTransport) -> str:
    """Where a connection comes from; empty for one over a Unix socket, which has no address."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


def network_of(address: str) -> str:
    """An IPv4 address as it is, and the /64 of an IPv6 address, of which one client has all."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(found) >> 64 << 64)}/64"
