"""``web-terminal bench --list`` alone: names are all it needs, so nothing is imported that only measuring takes."""

from __future__ import annotations

import importlib
import itertools
import shutil
import sys
import textwrap
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FLAG = "--list"

INDENT: Final = " " * 4
"""Before a description below its names."""


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
    """Name the benchmarks that ``filters`` select, with what needs ``--full`` and what an operation is.

    One a line. On a terminal that is too narrow for it, the names of a benchmark stand above its description. Those of
    an extension say which one.

    Raises:
        NothingMatches, ExtensionError
    """
    from web_terminal_suite.bench.browser import catalogue as browser_suite
    from web_terminal_suite.bench.extensions import all_benchmarks, load_extensions
    from web_terminal_suite.bench.plan import name, select

    extensions = load_extensions(files)
    asked = browser_suite.is_asked_for(filters)
    catalogue = browser_suite.BENCHMARKS if asked else all_benchmarks(extensions)
    found = [
        Listed(
            name(benchmark, parameter),
            "--full" if parameter in benchmark.full else "",
            f"({where}) {benchmark.description}"
            if (where := extensions.origins.get(benchmark.id))
            else benchmark.description,
            benchmark.id,
        )
        for benchmark, parameter in select(catalogue, filters)
    ]
    # Elsewhere a line is whole.
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in lines(found, columns):
        print(line)


class Listed(NamedTuple):
    """A line of the list: a benchmark with one of its parameters."""

    name: str
    mark: str
    description: str
    id: str


def lines(found: Sequence[Listed], columns: int) -> Iterator[str]:
    """The list for a terminal of ``columns``, or of any width where it is 0.

    A name is never broken, so that it can be copied as a filter.
    """
    width = max(len(each.name) for each in found)
    table = [f"{each.name:<{width}}  {each.mark:<6}  {each.description}" for each in found]
    if not columns or max(map(len, table)) <= columns:
        yield from table
        return
    wrapper = textwrap.TextWrapper(
        max(20, columns), initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
    )
    for _, group in itertools.groupby(found, key=lambda each: each.id):
        several = list(group)
        for each in several:
            yield f"{each.name}  {each.mark}".rstrip()
        yield from wrapper.wrap(several[0].description)


class _Unused(ModuleType):
    """A module that is loaded when something in it is used, not when it is imported.

    The suites import asyncio to run, and are imported to be named; its import takes as long as all of theirs. The
    standard library's ``LazyLoader`` loads a module at its second import.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
