"""Every room of the long tests, one after the other: ``python -m tests.chaos [ROOM ...] [--seed N]``."""

from __future__ import annotations

import importlib
import sys

from tests.chaos import room

ROOMS = ("workers", "hosts", "supervisors", "typists", "pastes", "output", "vanished", "soak")


def main() -> None:
    arguments = sys.argv[1:]
    asked = []
    while arguments and not arguments[0].startswith("-"):
        asked.append(arguments.pop(0))
    rooms = [importlib.import_module(f"tests.chaos.{name}") for name in asked or ROOMS]
    defaults = {name: default for each in rooms for name, default in each.OPTIONS.items()}
    options = room.parse(__doc__, defaults, arguments)
    rows = [row for each in rooms for row in room.run(each, options)]
    sys.exit(room.report(rows))


if __name__ == "__main__":
    main()
