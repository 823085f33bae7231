"""What is measured: terminals that are started, or servers that run already."""

from __future__ import annotations

from web_terminal_suite.cli import completion, parameters

terminals = parameters.group(
    parameters.several(
        "--terminal",
        "What to measure, several times for several at once: web-terminal, ttyd, gotty, terminado, jupyter-server, "
        "wetty, node-pty; in the suite browser jupyterlab too; or all. (default: web-terminal)",
        metavar="NAME",
        shell_complete=completion.terminals,
    ),
    parameters.several(
        "--url",
        "Measure a server that runs already: URL of one of ours, NAME=URL of another. NAME is its protocol: ttyd, "
        "gotty, terminado, jupyter-server, wetty, node-pty, plain; in the suite browser also jupyterlab, and page "
        "for any page with a terminal.",
        metavar="[NAME=]URL",
    ),
    parameters.token(),
)
