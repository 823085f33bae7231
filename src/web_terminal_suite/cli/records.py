"""A record by the name that a command was given: of a file, or of a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from web_terminal_suite.bench.record import Stored


def stored(name: str, home: Path | None) -> Stored:
    """The run of that name, with the results that a record file states.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    from web_terminal_suite.bench import record
    from web_terminal_suite.bench.pipeline import open_run

    path = Path(name)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return record.read(path)
    return record.Stored(open_run(name, home))
