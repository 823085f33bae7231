"""Secrets on a command line: hidden from the process list as soon as this process runs.

Anyone on the machine can read a command line (proc_pid_cmdline(5)), and it is logged by shells and by accounting, which
nothing here can help. Better places are the environment and a file.
"""

from __future__ import annotations

import re
import sys

_MASK = "*"
# The token of an address, its user and password, and the values of options.
_IN_ADDRESS = re.compile(r"(?:(?<=[#?&]token=)[^&#\s]+)|(?:(?<=://)[^/@\s]+(?=@))")
_OPTION = "--token"


def masked(words: list[str]) -> list[str]:
    """The same words with every secret replaced, byte for byte, so that they take the same room."""
    found, is_value = [], False
    for word in words:
        if is_value:
            shown = _hidden(word)
        elif word.startswith(f"{_OPTION}="):
            shown = f"{_OPTION}={_hidden(word.removeprefix(f'{_OPTION}='))}"
        else:
            shown = _IN_ADDRESS.sub(lambda secret: _hidden(secret[0]), word)
        is_value = word == _OPTION
        found.append(shown)
    return found


def hide_secrets() -> None:
    """Overwrite the secrets on the command line of this process, where there are any; ``sys.argv`` keeps them."""
    words = sys.orig_argv
    hidden = masked(words)
    if hidden == words:
        return
    try:
        with open("/proc/self/stat", "rb") as file:
            start = int(file.read().rpartition(b")")[2].split()[45])  # arg_start (proc_pid_stat(5))
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(b"".join(_bytes(word) + b"\0" for word in hidden))
    except OSError:
        pass  # no /proc: then no process list either


def _hidden(secret: str) -> str:
    return _MASK * len(_bytes(secret))


def _bytes(word: str) -> bytes:
    return word.encode(sys.getfilesystemencoding(), "surrogateescape")
