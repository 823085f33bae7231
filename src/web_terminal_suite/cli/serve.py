"""``web-terminal serve``: settings from flags, environment and file; then the supervisor takes this process over."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. (default: 127.0.0.1)")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any free one. (default: 7681)")] = None,
    base_path: Annotated[str | None, typer.Option(help="Path under which a reverse proxy serves it, as /term.")] = None,
    ttyd_path: Annotated[str | None, typer.Option(help="Serve ttyd's clients there, as /ttyd. (default: off)")] = None,
    terminado_path: Annotated[
        str | None, typer.Option(help="Serve JupyterLab's terminals there, as /jupyter. (default: off)")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes. (default: 1)")] = None,
    hosts: Annotated[
        int | None,
        typer.Option(help="Processes that keep the shells; 0 is as many as --max-sessions needs. (default: 0)"),
    ] = None,
    shell: Annotated[str | None, typer.Option(help="Program of new sessions. (default: $SHELL or /bin/sh)")] = None,
    cwd: Annotated[str | None, typer.Option(help="Directory of new sessions. (default: home)")] = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for new sessions; may be repeated.")] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Token to log in with; better in WEB_TERMINAL_TOKEN. (default: random at each start)"),
    ] = None,
    insecure_no_auth: Annotated[
        bool | None, typer.Option("--insecure-no-auth", help="Ask nobody for a token; loopback only.")
    ] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A further Host header to accept.")] = None,
    allow_origin: Annotated[list[str] | None, typer.Option(help="A further page origin to accept.")] = None,
    login_seconds: Annotated[int | None, typer.Option(help="How long a login lasts. (default: 604800)")] = None,
    login_attempts_per_minute: Annotated[int | None, typer.Option(help="Failed logins. (default: 10)")] = None,
    authentication_timeout: Annotated[float | None, typer.Option(help="Seconds. (default: 10)")] = None,
    messages_per_second: Annotated[int | None, typer.Option(help="For each connection; 0 is no limit.")] = None,
    log_size: Annotated[int | None, typer.Option(help="Bytes of output kept a session. (default: 262144)")] = None,
    window: Annotated[int | None, typer.Option(help="Unacknowledged bytes a viewer. (default: 131072)")] = None,
    message_limit: Annotated[int | None, typer.Option(help="Bytes of one message. (default: 1048576)")] = None,
    max_cols: Annotated[int | None, typer.Option(help="(default: 500)")] = None,
    max_rows: Annotated[int | None, typer.Option(help="(default: 200)")] = None,
    max_sessions: Annotated[int | None, typer.Option(help="Of all users together. (default: 10000)")] = None,
    max_sessions_per_user: Annotated[int | None, typer.Option(help="(default: 1000)")] = None,
    idle_timeout: Annotated[
        float | None, typer.Option(help="Seconds without a viewer; 0 is never. (default: 1800)")
    ] = None,
    linger: Annotated[float | None, typer.Option(help="Seconds an ended session can be read. (default: 60)")] = None,
    kill_after: Annotated[float | None, typer.Option(help="Seconds between hang-up and kill. (default: 2)")] = None,
    drain_timeout: Annotated[float | None, typer.Option(help="Seconds to let connections go. (default: 10)")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error. (default: info)")] = None,
    config: Annotated[
        str | None, typer.Option(help="TOML file with the same settings, underscores for dashes.")
    ] = None,
) -> None:
    """Serve terminals to browsers.

    Every option can stand in the environment as WEB_TERMINAL_OPTION_NAME or in the TOML file as option_name;
    a flag wins over the environment, the environment over the file.
    """
    flags: dict[str, Any] = dict(locals())
    for singular in ("allow_host", "allow_origin"):
        values = flags.pop(singular)
        flags[f"{singular}s"] = tuple(values) if values else None
    del flags["config"]

    from web_terminal_suite.server import launch
    from web_terminal_suite.server.settings import SettingsError, load
    from web_terminal_suite.server.supervisor import with_token

    try:
        flags["env"] = _variables(env) if env else None
        settings = with_token(load(flags, os.environ, config))
    except SettingsError as error:
        print(f"web-terminal: error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    # The supervisor lives as long as the server: it takes over in an interpreter without the command line's modules.
    fd = launch.settings_memory(settings)
    os.dup2(fd, launch.SETTINGS_FD)
    os.set_inheritable(launch.SETTINGS_FD, True)  # dup2 does nothing where the two are the same
    command = [sys.executable, "-m", "web_terminal_suite.server.supervisor", str(launch.SETTINGS_FD)]
    os.execve(sys.executable, command, launch.public_environment())


def _variables(pairs: list[str]) -> dict[str, str]:
    from web_terminal_suite.server.settings import SettingsError

    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise SettingsError(f"env {pair!r} is not NAME=VALUE")
        variables[name] = value
    return variables
