"""The console script: the quick way where there is one, else the whole command line."""

from __future__ import annotations

import sys

from web_terminal_suite.cli import command_line, listing, streams


def main() -> None:
    """Do what the command line asks for, and end with its exit status."""
    command_line.hide_secrets()
    streams.prepare()
    words = sys.argv[1:]
    quick = listing.only_lists(words)
    try:
        try:
            if quick:
                listing.list_quickly(words)
            else:
                from web_terminal_suite.cli.application import application

                application()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(streams.INTERRUPTED)
    except Exception as error:
        from web_terminal_suite.cli.exit_status import end

        end(error, "bench" if quick else "")
