"""The access rules of a server that does not run."""

from __future__ import annotations

from web_terminal_suite.server.access import Access
from web_terminal_suite.server.credentials import Credentials, configured
from web_terminal_suite.server.settings import Settings


def access_of(settings: Settings, port: int = 7681) -> Access:
    """The rules with the credentials that the settings name, and always the same key."""
    return Access(settings, port, Credentials(key=b"k" * 32, all=configured(settings)))
