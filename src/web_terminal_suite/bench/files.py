"""Files that are whole or not there: whatever stops the writing, a name never stands for half of something."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def put(path: Path, data: bytes) -> None:
    """Write a file, replacing one of that name only when the new one is on the disk.

    What is no file (a pipe, a device) is written to as it is.

    Raises:
        OSError: after which what was there still is, and no part of the new one.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    # A link stays one. A name of its own: two that write at once must not write into each other's file.
    whole = path.resolve()
    descriptor, part = tempfile.mkstemp(dir=whole.parent, prefix=f".{whole.stem}-", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; this one is as readable as any other.
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, whole)
    except BaseException:
        os.unlink(part)
        raise


def try_directory(directory: Path) -> None:
    """Write a file into a directory and remove it again; where that is not made yet, into the nearest above it.

    Raises:
        OSError: a file cannot be made there, or cannot be written to.
    """
    place = directory.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    with tempfile.NamedTemporaryFile(dir=place, prefix=".web-terminal-", suffix=".part", buffering=0) as file:
        file.write(b"\n")


def _umask() -> int:
    # umask(2) can only be read by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
