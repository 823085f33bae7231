"""Runs from Python: plan, run, analyse, compare, keep; for benchmarks and for loads.

Every name is imported when it is first used: ``numpy`` and the terminals take longer to import than most programs need
to start. Prints nothing; progress goes to a ``Progress``. Errors are ``BenchError`` and its subclasses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis.comparison.results import Terms
    from web_terminal_suite.bench.baselines import Choice, choose
    from web_terminal_suite.bench.errors import BenchError, OptionsError, RunFailed, StorageError
    from web_terminal_suite.bench.pipeline.against import RevisionPlan, plan_against, run_against
    from web_terminal_suite.bench.pipeline.bench import measure, plan, run
    from web_terminal_suite.bench.pipeline.comparison import (
        Base,
        analyse,
        compare,
        compare_with_base,
        find_base,
        self_check,
        terms_of,
    )
    from web_terminal_suite.bench.pipeline.load import measure_load, run_load
    from web_terminal_suite.bench.pipeline.load_plan import LoadTest, plan_load
    from web_terminal_suite.bench.pipeline.options import BenchOptions, LoadOptions, OutputProfile, StorageOptions
    from web_terminal_suite.bench.pipeline.storage import (
        add_to_history,
        earlier_results,
        home,
        keep,
        open_run,
        open_runs,
        save_record,
        write_report,
    )
    from web_terminal_suite.bench.plan import Plan
    from web_terminal_suite.bench.progress import NoProgress, Progress

__all__ = [
    "Base",
    "BenchError",
    "BenchOptions",
    "Choice",
    "LoadOptions",
    "LoadTest",
    "NoProgress",
    "OptionsError",
    "OutputProfile",
    "Plan",
    "Progress",
    "RevisionPlan",
    "RunFailed",
    "StorageError",
    "StorageOptions",
    "Terms",
    "add_to_history",
    "analyse",
    "choose",
    "compare",
    "compare_with_base",
    "earlier_results",
    "find_base",
    "home",
    "keep",
    "measure",
    "measure_load",
    "open_run",
    "open_runs",
    "plan",
    "plan_against",
    "plan_load",
    "run",
    "run_against",
    "run_load",
    "save_record",
    "self_check",
    "terms_of",
    "write_report",
]

_MODULES = {
    "web_terminal_suite.bench.analysis.comparison.results": ("Terms",),
    "web_terminal_suite.bench.baselines": ("Choice", "choose"),
    "web_terminal_suite.bench.errors": ("BenchError", "OptionsError", "RunFailed", "StorageError"),
    "web_terminal_suite.bench.pipeline.against": (
        "RevisionPlan", "plan_against", "run_against",
    ),
    "web_terminal_suite.bench.pipeline.bench": ("measure", "plan", "run"),
    "web_terminal_suite.bench.pipeline.comparison": (
        "Base", "analyse", "compare", "compare_with_base", "find_base", "self_check",
        "terms_of",
    ),
    "web_terminal_suite.bench.pipeline.load": ("measure_load", "run_load"),
    "web_terminal_suite.bench.pipeline.load_plan": ("LoadTest", "plan_load"),
    "web_terminal_suite.bench.pipeline.options": ("BenchOptions", "LoadOptions", "OutputProfile", "StorageOptions"),
    "web_terminal_suite.bench.pipeline.storage": (
        "add_to_history", "earlier_results", "home", "keep", "open_run", "open_runs", "save_record", "write_report",
    ),
    "web_terminal_suite.bench.plan": ("Plan",),
    "web_terminal_suite.bench.progress": ("NoProgress", "Progress"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
