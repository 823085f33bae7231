"""Modules that are files of the user's, and pickles that carry them.

A pickle names a class by its module. A client process, here or on another machine, cannot import a file of the user's
by name, so what is sent to it comes with the text of the files that this process has loaded.
"""

from __future__ import annotations

import pickle
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

_PREFIX: Final = "web_terminal_extension"


class ModuleSource(NamedTuple):
    """A file as a module: its name in ``sys.modules``, where it is, its text."""

    name: str
    path: str
    text: str


_loaded: dict[str, ModuleSource] = {}


def load(path: Path) -> ModuleType:
    """The module that a file is; run again only if its text has changed.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
        Exception: whatever the file raises.
    """
    where = str(path.resolve())
    name = f"{_PREFIX}_{path.stem}_{zlib.crc32(where.encode()):08x}"
    return _run(ModuleSource(name, where, path.read_text(encoding="utf-8")))


def dumps(value: Any) -> bytes:
    """A pickle of ``value`` with the files that its classes may be from."""
    return pickle.dumps((tuple(_loaded.values()), pickle.dumps(value)))


def loads(data: bytes) -> Any:
    """The value of ``dumps``, which may be of another process; its files are run first.

    Raises:
        Exception: whatever a file raises, such as ``ModuleNotFoundError`` for a package that is not installed here.
    """
    sources, value = pickle.loads(data)
    for source in sources:
        _run(ModuleSource(*source))
    return pickle.loads(value)


def _run(source: ModuleSource) -> ModuleType:
    if _loaded.get(source.name) == source and source.name in sys.modules:
        return sys.modules[source.name]
    module = ModuleType(source.name)
    module.__file__ = source.path
    directory = str(Path(source.path).parent)
    if directory not in sys.path:
        sys.path.append(directory)  # at the end: a file next to it hides no installed module
    sys.modules[source.name] = module
    try:
        exec(compile(source.text, source.path, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[source.name]
        raise
    _loaded[source.name] = source
    return module
