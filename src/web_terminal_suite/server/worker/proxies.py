"""Which client a request is of when it comes through proxies: its address, its user and whether it came over TLS.

Pure. Only what a trusted proxy says counts; the same header of anybody else is that client's own invention.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.request_head import RequestHead

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# A pair of RFC 7239 section 4; a quoted value has no escapes where it is an address.
_PAIR = re.compile(r'([A-Za-z]+)=(?:"([^"]*)"|([^";,\s]*))')
# An address with a port that may be left out; IPv6 has brackets where it has a port.
_NODE = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9A-Fa-f:.]+)")


class RequestSource(NamedTuple):
    """Who a request is of. ``user`` is whom a trusted proxy names, ``None`` where none does."""

    address: str
    user: str | None = None
    is_https: bool = False


class Proxies:
    """The trusted ones of one server."""

    def __init__(self, settings: Settings) -> None:
        self._networks = tuple(ipaddress.ip_network(each, strict=False) for each in settings.trusted_proxies)
        self._header = settings.forwarded_header
        self._user_header = settings.user_header.lower()

    def trusts(self, peer: str) -> bool:
        """Whether a connection from this address is a proxy's."""
        if not self._networks:
            return False
        address = _address(peer)
        return address is not None and self._is_proxy(address)

    def source(self, peer: str, head: RequestHead) -> RequestSource:
        """Whose request it is that came from ``peer``."""
        if not self.trusts(peer):
            return RequestSource(peer)
        address, is_https = peer, False
        # From the last proxy to the first: each is told of by the one after it, as long as that is trusted.
        for said, over_https in self._hops(head):
            found = _address(said)
            if found is None:
                break
            address, is_https = str(found), over_https
            if not self._is_proxy(found):
                break
        return RequestSource(address, self._user(head), is_https)

    def _user(self, head: RequestHead) -> str | None:
        values = head.all(self._user_header) if self._user_header else []
        # Two are a proxy's and a client's that it let pass.
        return values[0] if len(values) == 1 and values[0] else None

    def _hops(self, head: RequestHead) -> Iterator[tuple[str, bool]]:
        """The addresses that the proxies name, the last one first, and whether that hop was over TLS."""
        elements = ",".join(head.all(self._header)).split(",")
        if self._header == "forwarded":
            for element in reversed(elements):
                pairs = {found[1].lower(): found[2] or found[3] or "" for found in _PAIR.finditer(element)}
                yield pairs.get("for", ""), pairs.get("proto", "").lower() == "https"
            return
        protos = ",".join(head.all("x-forwarded-proto")).split(",")
        is_https = protos[-1].strip().lower() == "https"
        for element in reversed(elements):
            yield element.strip(), is_https

    def _is_proxy(self, address: _Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def _address(text: str) -> _Address | None:
    """An address as a proxy writes it; ``None`` for ``unknown`` and the like."""
    found = _NODE.fullmatch(text.partition("%")[0])
    if found is None:
        return None
    try:
        address = ipaddress.ip_address(found[1] or found[2] or found[3])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
