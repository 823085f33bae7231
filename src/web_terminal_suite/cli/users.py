"""``web-terminal users``: who may log in to a server, and how somebody is shut out."""

from __future__ import annotations

import time

import click

from web_terminal_suite.cli import credential_options as options
from web_terminal_suite.cli.exit_status import Program, Subcommand, fail


@click.group(cls=Program, name="users")
def users() -> None:
    """List who may log in to a server, and revoke all of a user's tokens."""


@users.command(cls=Subcommand, name="list")
@options.files
def list_users(tokens_file: str | None, config: str | None) -> None:
    """List the users of the configuration file and of the tokens file."""
    settings = options.settings_of(tokens_file, config)
    from web_terminal_suite.server import tokens_file as tokens

    rows = [(name, user.role, "1", "never", "config") for name, user in settings.users.items()]
    try:
        stored = tokens.read(settings.tokens_file)
    except tokens.TokensFileError as error:
        options.failed(error)
    now = time.time()
    for user, role in dict.fromkeys((each.user, each.role) for each in stored):
        own = [each for each in stored if (each.user, each.role) == (user, role)]
        good = [each for each in own if each.expires is None or each.expires > now]
        last = None if any(each.expires is None for each in good) else max(each.expires or 0 for each in own)
        rows.append((user, role, str(len(good)), options.shown_time(last, "never"), "tokens file"))
    options.print_rows(("user", "role", "tokens", "until", "from"), rows)


@users.command(cls=Subcommand)
@click.argument("user", metavar="NAME")
@options.files
def revoke(user: str, tokens_file: str | None, config: str | None) -> None:
    """Revoke every token of NAME.

    All logins and connections of NAME end within a second; the sessions of NAME go on.
    """
    settings = options.settings_of(tokens_file, config)
    from web_terminal_suite.server import tokens_file as tokens

    try:
        removed = tokens.remove(settings.tokens_file, user=user)
    except tokens.TokensFileError as error:
        options.failed(error)
    if user in settings.users:
        fail(f"{user} has a token in the configuration file too; remove [users.{user}] there, and send SIGHUP", 1)
    if not removed:
        fail(f"no token is {user}'s; see: web-terminal users list", 1)
    click.echo(f"revoked {len(removed)} of {user}", err=True)
