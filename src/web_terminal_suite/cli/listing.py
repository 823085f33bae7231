"""``web-terminal bench --list`` alone: names are all it needs, so nothing is imported that only measuring takes."""

from __future__ import annotations

import importlib
import shutil
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FLAG = "--list"


def only_lists(words: Sequence[str]) -> bool:
    """Whether a command line asks for the names of benchmarks and has no flag but that one."""
    flags = {word for word in words if word.startswith("-")}
    return words[:1] == ["bench"] and flags == {_FLAG}


def list_quickly(words: Sequence[str]) -> None:
    """Print the names that the filters in ``words`` select.

    Raises:
        NothingMatches
    """
    sys.modules.setdefault("asyncio", _Unused("asyncio"))
    print_names([word for word in words[1:] if word != _FLAG])


def print_names(filters: Sequence[str], files: Sequence[Path] = ()) -> None:
    """Name the benchmarks that ``filters`` select, one a line: its name, what needs ``--full``, what an operation is.

    Those of an extension say which one.

    Raises:
        NothingMatches, ExtensionError
    """
    from web_terminal_suite.bench.extensions import all_benchmarks, load_extensions
    from web_terminal_suite.bench.plan import name, select

    extensions = load_extensions(files)
    found = select(all_benchmarks(extensions), filters)
    width = max(len(name(*each)) for each in found)
    # On a terminal a line is a line; elsewhere it is whole.
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for benchmark, parameter in found:
        origin = f"({where}) " if (where := extensions.origins.get(benchmark.id)) else ""
        mark = "--full" if parameter in benchmark.full else ""
        line = f"{name(benchmark, parameter):<{width}}  {mark:<6}  {origin}{benchmark.description}"
        print(line if not columns or len(line) <= columns else f"{line[: max(width, columns - 1)].rstrip()}…")


class _Unused(ModuleType):
    """A module that is loaded when something in it is used, not when it is imported.

    The suites import asyncio to run, and are imported to be named; its import takes as long as all of theirs. The
    standard library's ``LazyLoader`` loads a module at its second import.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
