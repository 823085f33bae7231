"""The console script: the quick way where there is one, else the whole command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Do what the command line asks for."""
    from web_terminal_suite.cli import listing

    words = sys.argv[1:]
    if listing.only_lists(words):
        sys.exit(listing.listed(words))
    from web_terminal_suite.cli.application import application

    application()
