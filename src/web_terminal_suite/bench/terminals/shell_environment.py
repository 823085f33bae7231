"""What every terminal under test is given alike: the shell, its prompt, its environment."""

from __future__ import annotations

import os
from typing import Final

SHELL: Final = "/bin/sh"
PROMPT: Final = "$ "
"""A shell that is to speak first must have something to say, whatever the prompt of whoever runs this."""

SETTINGS: Final = {"TERM": "xterm-256color", "PS1": PROMPT, "LC_ALL": "C.UTF-8"}


def surroundings() -> dict[str, str]:
    """The environment a server is started with, and so its shells: this process's, without what configures ours."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
    return {**mine, **SETTINGS, "SHELL": SHELL}
