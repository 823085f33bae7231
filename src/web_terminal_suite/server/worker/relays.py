"""Which relay serves: the compiled one where the build could make it, else the same in Python.

``PURE_PYTHON=1`` in the environment asks for the latter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from web_terminal_suite.server.worker import relay

if TYPE_CHECKING:
    Listener = relay.Listener
    Relay = relay.Relay

KIND = "python"
"""``compiled`` or ``python``."""

WHY = "PURE_PYTHON is set"
"""Why it is not the compiled one."""

if not os.environ.get("PURE_PYTHON"):
    try:
        from web_terminal_suite.server.worker import _relay

        KIND, WHY = "compiled", ""
    except (ImportError, ValueError) as error:  # it was not built, or for another picows: ValueError is Cython's
        WHY = str(error)

if KIND == "compiled":
    Listener, Relay, lighten = _relay.Listener, _relay.Relay, _relay.lighten
else:
    Listener, Relay, lighten = relay.Listener, relay.Relay, relay.lighten
