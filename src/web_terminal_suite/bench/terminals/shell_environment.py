"""The shell, prompt and environment that every terminal under test is given."""

from __future__ import annotations

import os
from typing import Final

SHELL: Final = "/bin/sh"
PROMPT: Final = "$ "
"""Of ``/bin/sh`` in every terminal: its first output does not depend on the user's own prompt."""

SETTINGS: Final = {"TERM": "xterm-256color", "PS1": PROMPT, "LC_ALL": "C.UTF-8"}


def server_environment() -> dict[str, str]:
    """The environment of a server and so of its shells: that of this process, without the settings of our server."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
    return {**mine, **SETTINGS, "SHELL": SHELL}
