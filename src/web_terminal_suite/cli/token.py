"""``web-terminal token``: make, list and revoke the tokens of a tokens file."""

from __future__ import annotations

import sys

import click

from web_terminal_suite.cli import credential_options as options
from web_terminal_suite.cli.exit_status import Program, Subcommand, fail

_PASSWORD_CHARACTERS = 12


@click.group(cls=Program, name="token")
def token() -> None:
    """Make, list and revoke tokens in a tokens file.

    A running server with the same --tokens-file notices each change within a second. Tokens are kept as digests.
    """


@token.command(cls=Subcommand)
@click.argument("user", metavar="NAME")
@click.option(
    "--role",
    type=click.Choice(["owner", "user", "viewer"]),
    default="user",
    show_default=True,
    help="What NAME may do: everything, everything with own sessions, or look.",
)
@click.option("--expires", default="never", show_default=True, help="After 30d, 12h or 90m, on 2030-01-31, or never.")
@click.option("--password", is_flag=True, help="Ask for a password instead; the login form then takes NAME:PASSWORD.")
@options.files
def create(user: str, role: str, expires: str, password: bool, tokens_file: str | None, config: str | None) -> None:
    """Make a token for NAME and print it, this once.

    The token goes to standard output; pipe it into a password manager, or send it to NAME over a safe way. With
    --password it is read from the terminal, or from standard input, and nothing is printed.
    """
    settings = options.settings_of(tokens_file, config)
    from web_terminal_suite.server import credentials
    from web_terminal_suite.server import tokens_file as tokens
    from web_terminal_suite.server.passwords import digest_of_password

    try:
        until = options.epoch(expires)
    except ValueError as error:
        fail(f"--expires {error}")
    made = ""
    if password:
        digest = digest_of_password(_asked_password())
    else:
        made = credentials.random_token()
        digest = credentials.digest_of(made)
    try:
        added = tokens.add(settings.tokens_file, user, role, digest, until)
    except tokens.TokensFileError as error:
        options.failed(error)
    what = "password" if password else "token"
    click.echo(f"{what} {added.id} of {user} ({role}), expires: {options.shown_time(until, 'never')}", err=True)
    if made:
        click.echo(made)


@token.command(cls=Subcommand, name="list")
@options.files
def list_tokens(tokens_file: str | None, config: str | None) -> None:
    """List the tokens of a tokens file."""
    settings = options.settings_of(tokens_file, config)
    from web_terminal_suite.server import tokens_file as tokens

    try:
        found = tokens.read(settings.tokens_file)
    except tokens.TokensFileError as error:
        options.failed(error)
    options.print_rows(
        ("id", "user", "role", "kind", "created", "expires"),
        [
            (
                each.id, each.user, each.role, each.kind,
                options.shown_time(each.created, "unknown"), options.shown_time(each.expires, "never"),
            )
            for each in found
        ],
    )  # fmt: skip


@token.command(cls=Subcommand)
@click.argument("id")
@options.files
def revoke(id: str, tokens_file: str | None, config: str | None) -> None:
    """Revoke the token with this ID, as the list shows it.

    Its logins and connections end within a second; sessions go on.
    """
    settings = options.settings_of(tokens_file, config)
    from web_terminal_suite.server import tokens_file as tokens

    try:
        removed = tokens.remove(settings.tokens_file, id=id)
    except tokens.TokensFileError as error:
        options.failed(error)
    if not removed:
        fail(f"no token has the id {id!r}; see: web-terminal token list", 1)
    click.echo(f"revoked {removed[0].id} of {removed[0].user}", err=True)


def _asked_password() -> str:
    if sys.stdin.isatty():
        found: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        found = sys.stdin.readline().rstrip("\n")
    if len(found) < _PASSWORD_CHARACTERS:
        fail(f"a password of {len(found)} characters; at least {_PASSWORD_CHARACTERS} are needed")
    return found
