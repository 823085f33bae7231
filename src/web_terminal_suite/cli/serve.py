"""``web-terminal serve``: settings from flags, environment and file; then the supervisor replaces this process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli.exit_status import Subcommand, fail

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Declaration, Settings

_HELP = """Serve terminals to browsers.

Every option can stand in the environment as WEB_TERMINAL_OPTION_NAME or in the TOML file as option_name. A flag
overrides the environment, and the environment overrides the file.
"""
_CONFIG = "TOML file with the same settings, underscores for dashes."


def _command() -> click.Command:
    """The command with one option for each setting."""
    from web_terminal_suite.server.settings import declarations

    options = [_option(each) for each in declarations() if each.flag]
    return Subcommand(
        "serve", callback=_serve, params=[*options, click.Option(["--config", "config"], help=_CONFIG)], help=_HELP
    )


def _option(setting: Declaration) -> click.Option:
    default = setting.default_text
    return click.Option(
        [setting.flag, setting.name],
        type=setting.type if setting.type in (int, float, bool) else str,
        is_flag=setting.type is bool,
        multiple=setting.is_list or setting.is_table,
        default=None,
        help=setting.doc.help + (f" (default: {default})" if default else ""),
    )


def settings_of(config: str | None, env: tuple[str, ...], **flags: Any) -> Settings:
    """The settings that the values of the options, the environment and the file amount to.

    Raises:
        SettingsError: they cannot be used.
        TokensFileError: the file with the token cannot be used.
    """
    from msgspec.structs import replace

    from web_terminal_suite.server.settings import check, load
    from web_terminal_suite.server.tokens_file import read_token

    given = {name: value for name, value in flags.items() if value not in (None, ())}
    if env:
        given["env"] = _variables(env)
    settings = load(given, os.environ, config)
    return check(replace(settings, token=read_token(settings.token_file))) if settings.token_file else settings


def _serve(**options: Any) -> None:
    from web_terminal_suite.server import launch
    from web_terminal_suite.server.settings import SettingsError
    from web_terminal_suite.server.tls import TlsProblem
    from web_terminal_suite.server.tokens_file import TokensFileError

    try:
        settings = _with_tls(settings_of(**options))
        _check_installed(settings)
    except (SettingsError, TlsProblem, TokensFileError) as error:
        fail(str(error))
    config = options["config"] or os.environ.get("WEB_TERMINAL_CONFIG", "")
    if config and (settings.users or settings.token) and os.stat(config).st_mode & 0o044:
        click.echo(f"warning: other accounts can read the tokens in {config}; run: chmod 600 {config}", err=True)
    # The supervisor lives as long as the server: it takes over in an interpreter without the command line's modules.
    memory = [launch.settings_memory(each) for each in (settings.without_secrets(), settings)]
    for fd in memory:
        os.set_inheritable(fd, True)
    config = os.path.abspath(config) if config else ""
    command = [sys.executable, "-m", "web_terminal_suite.server.supervisor", *map(str, memory), config]
    os.execve(sys.executable, command, launch.public_environment())


def _with_tls(settings: Settings) -> Settings:
    """The settings, with a certificate that can be used now where TLS is asked for.

    Raises:
        TlsProblem: there is none.
    """
    from web_terminal_suite.server import tls

    if settings.tls_self_signed:
        from web_terminal_suite.server.self_signed import with_certificate

        settings, told = with_certificate(settings)
        click.echo(told, err=True)
    if settings.serves_tls:
        tls.check(settings)
    return settings


def _check_installed(settings: Settings) -> None:
    from importlib.util import find_spec

    from web_terminal_suite.server.settings import SettingsError

    if settings.jwt is not None and find_spec("joserfc") is None:
        raise SettingsError("jwt needs joserfc; install it with: pip install 'web-terminal-suite[jwt]'")
    if settings.oidc is not None and not (find_spec("authlib") and find_spec("httpx2")):
        raise SettingsError("oidc needs authlib and httpx2; install them with: pip install 'web-terminal-suite[oidc]'")


def _variables(pairs: tuple[str, ...]) -> dict[str, str]:
    from web_terminal_suite.server.settings import SettingsError

    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise SettingsError(f"env {pair!r} is not NAME=VALUE")
        variables[name] = value
    return variables


serve = _command()
