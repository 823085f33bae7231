"""Whether two runs were made on the same machine, as far as figures can be compared.

Of everything that a snapshot knows, these facts decide; load, steal and the like are warnings of each run by itself. So
does the network that the suite put between its clients and the terminals.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

FACTS = ("cpu_model", "cpu_count", "cpus_usable", "memory_total", "kernel", "python")

MEMORY_LEEWAY = 0.02
"""Relative difference of memory that is none: a kernel reserves a little more or less at each start."""


_SERIES = re.compile(r"\d+\.\d+")


def differences(base: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """What differs between the machines of two records (``Run.machine``), each as a sentence's part; empty if same.

    A record that does not say what it was made on cannot be taken for the same.
    """
    old, now = facts(base), facts(new)
    unlike = [(network(each) or "none") for each in (base, new)]
    found = () if unlike[0] == unlike[1] else (f"the network was {unlike[0]}, is {unlike[1]}",)
    if not old or not now:
        which = [name for name, known in (("the baseline", old), ("the new run", now)) if not known]
        return (f"{' and '.join(which)} did not record the machine", *found)
    differing = [
        f"{fact} was {_shown(fact, old.get(fact))}, is {_shown(fact, now.get(fact))}"
        for fact in FACTS
        if not _is_same(fact, old.get(fact), now.get(fact))
    ]
    return (*differing, *found)


def network(machine: dict[str, Any]) -> str:
    """The conditions of the network that the suite made for a run; empty where it made none."""
    found = machine.get("network")
    conditions = found.get("conditions") if isinstance(found, dict) else None
    return conditions if isinstance(conditions, str) else ""


def facts(machine: dict[str, Any]) -> dict[str, Any]:
    """The facts that decide, of a record's snapshot before the run; empty where it has none."""
    before = machine.get("before")
    return {fact: before.get(fact) for fact in FACTS if fact in before} if isinstance(before, dict) else {}


def fingerprint(machine: dict[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for these facts; ``unknown`` where there are none.

    Memory counts in whole GB, so that the leeway seldom tells two starts of one machine apart.
    """
    known = facts(machine)
    if not known:
        return "unknown"
    memory = known.get("memory_total")
    known["memory_total"] = round(memory / 1e9) if isinstance(memory, int) else memory
    known["kernel"] = _series(known.get("kernel"))
    text = "\n".join(f"{fact}={known.get(fact)}" for fact in FACTS)
    if conditions := network(machine):  # a run without one is of the same kind as before there were any
        text += f"\nnetwork={conditions}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_same(fact: str, old: Any, new: Any) -> bool:
    if fact == "memory_total" and isinstance(old, int) and isinstance(new, int):
        return abs(new - old) <= MEMORY_LEEWAY * max(old, new)
    if fact == "kernel":
        return bool(_series(old) == _series(new))
    return bool(old == new)


def _series(kernel: Any) -> Any:
    """``6.18`` of ``6.18.44-generic``: a patch of the same series is the same kernel."""
    found = _SERIES.match(kernel) if isinstance(kernel, str) else None
    return kernel if found is None else found[0]


def _shown(fact: str, value: Any) -> str:
    if value is None:
        return "not recorded"
    return f"{value / 1e9:.1f} GB" if fact == "memory_total" and isinstance(value, int) else str(value)
