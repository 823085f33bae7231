"""Environments of other revisions: what ``--against`` names, found or built, and kept for the next time.

A git revision is checked out and installed with ``pip`` into a virtual environment of its own, with the dependencies
of the running suite where that revision allows them, so that a difference is the code's. Everything is below
``against/`` in the suite's home; the checkout itself is left as it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import web_terminal_suite
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.terminals.installation import PROGRAM, Installation, NotInstalled, inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DISTRIBUTION: Final = "web-terminal-suite"

_KEPT: Final = 4
"""Environments that stay; each takes about 100 MB."""
_LAST_LINES: Final = 12
_GIT_SECONDS: Final = 120.0
_BUILD_SECONDS: Final = 1800.0
_BUILT: Final = "built"
"""Name of the file that is written when an environment is complete."""
_PAGE: Final = Path("server/page")


@dataclass(frozen=True)
class Revision:
    """What is compared with: an environment, what to call it, and what a reader must know of it."""

    installation: Installation
    title: str
    """Such as ``main (98e554a1c2d3)``."""
    remarks: tuple[str, ...] = ()


def find_revision(text: str, home: Path, say: Callable[[str], None]) -> Revision:
    """The environment that ``text`` names: a directory, a wheel, or a git revision of the working directory.

    A directory is one where it exists and holds a virtual environment; a wheel ends in ``.whl``.

    Raises:
        OptionsError: it names nothing, or cannot be built.
    """
    path = Path(text)
    try:
        if (path / "pyvenv.cfg").exists() or (path / "bin" / PROGRAM).exists():
            return Revision(inspect(path), text)
        if path.suffix == ".whl":
            return Revision(_of_wheel(path, home, say), path.name)
        commit = _commit(text)
        remarks = () if _is_checkout_of_head() else (f"the head is {_package()}, not the checkout {Path.cwd()}",)
        return Revision(_of_commit(commit, text, home, say), _title(text, commit), remarks)
    except NotInstalled as error:
        raise OptionsError(f"--against {text}: {error}") from error


def _title(text: str, commit: str) -> str:
    short = commit[:12]
    return short if commit.startswith(text) else f"{text} ({short})"


def _commit(text: str) -> str:
    """The full hash of a git revision.

    Raises:
        OptionsError: there is no such one, or this is no checkout, or git is missing.
    """
    try:
        if _git("rev-parse", "--is-inside-work-tree").returncode:
            raise OptionsError(
                f"--against {text}: {Path.cwd()} is not a git checkout; name a virtual environment, a wheel or a URL"
            )
        found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    except FileNotFoundError as error:
        raise OptionsError(f"--against {text}: git is not installed, and it is no environment, wheel or URL") from error
    if found.returncode:
        shallow = _git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        hint = "; the checkout is shallow, so fetch it first" if shallow else ""
        raise OptionsError(f"--against {text}: no such git revision, environment, wheel or URL{hint}")
    return found.stdout.strip()


def _git(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("git", *words),
        capture_output=True,
        text=True,
        timeout=_GIT_SECONDS,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        check=False,
    )


def _of_commit(commit: str, text: str, home: Path, say: Callable[[str], None]) -> Installation:
    with _cached(commit, home) as place:
        if not (place / _BUILT).exists():
            say(f"building {_title(text, commit)} into {place}; the next run uses it again")
            with tempfile.TemporaryDirectory(prefix="web-terminal-against-") as directory:
                tree = Path(directory, "tree")
                _check_out(commit, tree, text)
                if not (tree / "pyproject.toml").exists():
                    raise OptionsError(f"--against {text}: {commit[:12]} has no pyproject.toml, so it cannot be built")
                _lend_page(tree)
                _build(place, tree, text)
        return inspect(place / "environment")


def _of_wheel(wheel: Path, home: Path, say: Callable[[str], None]) -> Installation:
    try:
        content = wheel.read_bytes()
    except OSError as error:
        raise OptionsError(f"--against {wheel}: {(error.strerror or str(error)).lower()}") from error
    with _cached(hashlib.sha256(content).hexdigest(), home) as place:
        if not (place / _BUILT).exists():
            say(f"installing {wheel.name} into {place}; the next run uses it again")
            _build(place, wheel.absolute(), str(wheel))
        return inspect(place / "environment")


def _check_out(commit: str, tree: Path, text: str) -> None:
    """The files of a commit, without a trace in the repository.

    Raises:
        OptionsError
    """
    tree.mkdir()
    archive = tree.with_suffix(".tar")
    top = _git("rev-parse", "--show-toplevel").stdout.strip()
    for done in (
        _git("archive", "--format=tar", f"--output={archive}", commit, cwd=Path(top)),
        subprocess.run(("tar", "-xf", str(archive), "-C", str(tree)), capture_output=True, text=True, check=False),
    ):
        if done.returncode:
            raise OptionsError(f"--against {text}: cannot check out {commit[:12]}: {done.stderr.strip()}")


def _lend_page(tree: Path) -> None:
    """Give a checkout the page of the running suite, so that it need not be built: the page is not measured."""
    page = Path(_package()) / _PAGE
    for server in tree.glob("src/*/server"):
        if (page / "index.html").exists() and not (server / "page").exists():
            shutil.copytree(page, server / "page")


def _build(place: Path, what: Path, text: str) -> None:
    """Install ``what`` into a new environment in ``place``.

    Raises:
        OptionsError: it cannot; the text has the last lines of the log, and where all of it is.
    """
    environment, log = place / "environment", place / "build.log"
    shutil.rmtree(environment, ignore_errors=True)
    constraints = place / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in _dependencies().items()))
    variables = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    variables = {name: value for name, value in variables.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    if any(what.glob("src/*/server/page/index.html")):
        variables["WEB_TERMINAL_SKIP_PAGE"] = "1"
    pip = (str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input")
    with log.open("w") as file:

        def runs(*command: str) -> bool:
            print("$", *command, file=file, flush=True)
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=variables,
                timeout=_BUILD_SECONDS,
                check=False,
            )
            return done.returncode == 0

        # Its own requirements win where they exclude what the head runs on; what then differs is said.
        is_built = runs(sys.executable, "-m", "venv", str(environment)) and (
            runs(*pip, "--constraint", str(constraints), str(what)) or runs(*pip, str(what))
        )
    if not is_built:
        shutil.rmtree(environment, ignore_errors=True)
        last = "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        raise OptionsError(f"--against {text}: it cannot be built; the log is {log}, and ends with\n{last}")
    # Both sides read compiled modules from the first start on.
    subprocess.run((str(environment / "bin/python"), "-m", "compileall", "-q", str(environment / "lib")),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # fmt: skip
    (place / _BUILT).touch()


@contextmanager
def _cached(content: str, home: Path) -> Iterator[Path]:
    """The directory for what ``content`` names, with this Python and these dependencies; one process at a time.

    Raises:
        OptionsError: the home cannot be written.
    """
    words = "\n".join((sys.version, *(f"{name} {version}" for name, version in sorted(_dependencies().items()))))
    name = f"{content[:12]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    kept = (home / "against").absolute()
    place = kept / name
    try:
        place.mkdir(parents=True, exist_ok=True)
        with (kept / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _forget(kept, place)
            os.utime(place)
            yield place
    except OSError as error:
        raise OptionsError(f"cannot keep an environment in {kept}: {error.strerror or error}") from error


def _forget(kept: Path, wanted: Path) -> None:
    """Remove the environments that were used longest ago."""
    others = [each for each in kept.iterdir() if each.is_dir() and each != wanted]
    for each in sorted(others, key=lambda place: place.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
        shutil.rmtree(each, ignore_errors=True)
        each.with_name(each.name + ".lock").unlink(missing_ok=True)


def _dependencies() -> dict[str, str]:
    """Versions of what the running suite has installed, itself apart."""
    found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    return {name: version for name, version in sorted(found.items()) if name and name != DISTRIBUTION}


def _package() -> str:
    return str(Path(web_terminal_suite.__file__).parent)


def _is_checkout_of_head() -> bool:
    """Whether the running suite is the code of the working directory's checkout."""
    top = _git("rev-parse", "--show-toplevel").stdout.strip()
    return bool(top) and Path(_package()).is_relative_to(top)
