"""``web-terminal attach``: a session in this terminal instead of in a browser."""

from __future__ import annotations

import sys

import click

from web_terminal_suite.cli.exit_status import Subcommand, fail

_FAILED = 1


@click.command(cls=Subcommand)
@click.argument("url", help="As serve prints it, http[s]://HOST:PORT/#token=..., or ws[s]://HOST:PORT/ws.")
@click.option("--session", metavar="ID", help="Join this session. (default: a new one)")
@click.option("--token", envvar="WEB_TERMINAL_TOKEN", show_envvar=True, default="", help="Where the URL has none.")
@click.option("--read-only", is_flag=True, help="Look, but do not type.")
@click.option("--detach-key", default="ctrl-]", show_default=True, help="Leave the session running and come back here.")
def attach(url: str, session: str | None, token: str, read_only: bool, detach_key: str) -> None:
    """Join or start a session in this terminal. Its shell's exit status becomes this command's."""
    from web_terminal_suite.client.address import parse_address
    from web_terminal_suite.client.attach import attach as attach_terminal
    from web_terminal_suite.client.attach import detach_byte, exit_status
    from web_terminal_suite.client.errors import ClientError

    try:
        address = parse_address(url, token)
        key = detach_byte(detach_key)
    except ValueError as error:
        fail(str(error))
    if not sys.stdin.isatty():
        fail("standard input is no terminal; for scripts there is web_terminal_suite.client")
    if read_only and session is None:
        fail("--read-only needs --session: a new session has nothing to look at")

    import asyncio

    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ended, joined = runner.run(attach_terminal(address, session=session, detach_key=key, read_only=read_only))
    except ClientError as error:
        fail(str(error), _FAILED)
    if ended is None:
        click.echo(f"detached from {joined}", err=True)
        return
    raise click.exceptions.Exit(exit_status(ended))
