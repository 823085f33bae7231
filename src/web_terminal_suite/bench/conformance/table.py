"""Every check, in the order of the matrix. A kind of checks is a module; add its ``CHECKS`` here."""

from __future__ import annotations

from typing import Final

from web_terminal_suite.bench.conformance import access, bytes_through, cuts, ending

CHECKS: Final = (*cuts.CHECKS, *bytes_through.CHECKS, *ending.CHECKS, *access.CHECKS)
