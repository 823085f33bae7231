"""Certificates of a CA of the tests' own."""

from __future__ import annotations

import datetime
import functools
from typing import TYPE_CHECKING, NamedTuple

import trustme

if TYPE_CHECKING:
    from pathlib import Path

NAME = "127.0.0.1"
_DAY = datetime.timedelta(days=1)


class Files(NamedTuple):
    """Where a certificate, its key and its CA are."""

    cert: str
    key: str
    ca: str


@functools.cache
def authority() -> trustme.CA:
    """One for all tests: keys take time."""
    return trustme.CA()


def written(directory: Path, name: str = "server", *, begins: int = -1, ends: int = 1) -> Files:
    """A new certificate that is valid from and until these days from now."""
    now = datetime.datetime.now(datetime.UTC)
    made = authority().issue_cert(NAME, not_before=now + begins * _DAY, not_after=now + ends * _DAY)
    cert, key, ca = (directory / f"{name}.{end}" for end in ("pem", "key", "ca"))
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    ca.write_bytes(authority().cert_pem.bytes())
    return Files(str(cert), str(key), str(ca))
