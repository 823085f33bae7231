"""Our server from another environment: another version of it, measured by this suite.

Only ``web-terminal serve`` of that environment is used, so its package may be older or newer than this one. Options
that its command line does not know are left out, and what depends on them is not measured.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import web_terminal_suite
from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM: Final = "web-terminal"

_ASK_SECONDS: Final = 60.0
_WIDE: Final = {"COLUMNS": "400", "TERMINAL_WIDTH": "400", "NO_COLOR": "1", "TERM": "dumb"}
"""Help that is wrapped or cut would hide an option."""

# Run by the other environment's Python, which may not have this package.
_PROBE: Final = """
import importlib.metadata, importlib.util, json, pathlib, platform
(entry,) = set(importlib.metadata.entry_points(group="console_scripts", name="web-terminal"))
package = entry.value.partition(":")[0].partition(".")[0]
place = pathlib.Path(importlib.util.find_spec(package).origin).parent
names = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
print(json.dumps({
    "version": names.get("web-terminal-suite", ""),
    "python": platform.python_implementation() + " " + platform.python_version(),
    "package": str(place),
    "is_compiled": any(place.rglob("*.so")),
    "dependencies": names,
}))
"""

# What the server runs on; of the rest a difference cannot show in its figures.
_RUNS_ON: Final = ("httptools", "msgspec", "picows", "starlette", "uvicorn", "uvloop")


class NotInstalled(Exception):
    """There is no web terminal in this environment, or it does not work; the text says why."""


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual environment with a web terminal in it."""

    directory: Path
    version: str
    python: str
    package: str
    """Where its package is."""
    is_compiled: bool
    """It has a compiled module: the fast path."""
    dependencies: dict[str, str]
    """Versions of every distribution in it."""
    options: frozenset[str] = frozenset()
    """That its ``serve`` knows."""

    @property
    def command(self) -> tuple[str, ...]:
        return (str(self.directory / "bin/python"), str(self.directory / "bin" / PROGRAM))

    def differences(self, other: Installation) -> list[str]:
        """What differs from ``other`` besides the code of the server, as people say it."""
        found = []
        if self.python != other.python:
            found.append(f"{self.python} here, {other.python} there")
        if self.is_compiled != other.is_compiled:
            have, lacks = ("base", "head") if self.is_compiled else ("head", "base")
            found.append(f"only the {have} has the compiled fast path; build the {lacks} where there is a C compiler")
        for name in _RUNS_ON:
            mine, theirs = self.dependencies.get(name), other.dependencies.get(name)
            if mine and theirs and mine != theirs:
                found.append(f"{name} {mine} and {theirs}")
        return found


def inspect(directory: Path) -> Installation:
    """What is installed in the virtual environment ``directory``.

    Raises:
        NotInstalled
    """
    directory = directory.absolute()  # not resolved: a link is how an environment may be named
    python, program = (directory / "bin" / name for name in ("python", PROGRAM))
    for each in (python, program):
        if not each.exists():
            raise NotInstalled(f"there is no {each}")
    told = _ask((str(python), "-I", "-c", _PROBE))
    help = _ask((str(python), str(program), "serve", "--help"))
    try:
        facts = msgspec.json.decode(told)
    except msgspec.DecodeError as error:
        raise NotInstalled(f"{python} does not describe what is installed: {error}") from error
    return Installation(directory=directory, options=frozenset(re.findall(r"--[a-z][a-z-]*", help)), **facts)


def current() -> Installation | None:
    """The environment that this suite runs in, where its ``web-terminal`` is this very package."""
    try:
        found = inspect(Path(sys.prefix))
    except NotInstalled:
        return None
    return found if Path(found.package) == Path(web_terminal_suite.__file__).parent else None


class InstalledWebTerminal(WebTerminal):
    """``web-terminal serve`` of another environment."""

    capabilities = WebTerminal.capabilities - {Capability.COMPONENTS}

    def __init__(self, installation: Installation, name: str, remarks: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.name = name
        self._installation = installation
        self._remarks = remarks
        if "--config" not in installation.options:
            self.capabilities = self.capabilities - {Capability.USERS}

    @property
    def command(self) -> tuple[str, ...]:
        wanted = {
            "--host": "127.0.0.1",
            "--port": "0",
            "--shell": SHELL,
            "--max-sessions": str(self._sessions),
            "--max-sessions-per-user": str(self._sessions),
            **dict(zip(self.options[::2], self.options[1::2], strict=True)),
        }
        known = [(name, value) for name, value in wanted.items() if name in self._installation.options]
        return (*self._installation.command, "serve", *(word for pair in known for word in pair))

    def facts(self) -> TerminalFacts:
        return TerminalFacts(
            name=self.name,
            version=self._installation.version,
            role=self.role,
            command=self.command,
            capabilities=tuple(sorted(self.capabilities)),
            remarks=self._remarks,
        )

    def _environment(self) -> dict[str, str]:
        return _without_paths(super()._environment())


def _ask(command: tuple[str, ...], environment: Mapping[str, str] = _WIDE) -> str:
    """What a command of the other environment prints.

    Raises:
        NotInstalled: it fails.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**_without_paths(os.environ), **environment},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{command[0]}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise NotInstalled(f"{' '.join(command[:2])} ended with {done.returncode}: {last}")
    return done.stdout


def _without_paths(variables: Mapping[str, str]) -> dict[str, str]:
    """``variables`` without what makes a Python import packages of another environment."""
    return {name: value for name, value in variables.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
