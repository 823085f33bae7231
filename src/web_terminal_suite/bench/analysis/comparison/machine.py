"""Whether two runs were made on the same machine, as far as figures can be compared.

Of everything that a snapshot knows, these facts decide; load, steal and the like are warnings of each run by itself. So
do the network that the suite put between its clients and the terminals, and the browser that the pages were in.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

FACTS = ("cpu_model", "cpu_count", "cpus_usable", "memory_total", "kernel", "python")

MEMORY_LEEWAY = 0.02
"""Relative difference of memory that is none: a kernel reserves a little more or less at each start."""


_RATE_LEEWAY = 0.25
"""Relative difference of measured frame rates that is none: busy machines draw fewer."""

_BROWSER = {
    "viewport": "the viewport",
    "device_scale": "the device scale",
    "gpu": "what draws for the browser",
    "features": "what a graphics processor draws",
}
"""What must be alike of a browser besides its series and how each page draws, by the name that the record has."""

_SERIES = re.compile(r"\d+\.\d+")


def differences(base: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """What differs between the machines of two records (``Run.machine``), each as a sentence's part; empty if same.

    A record that does not say what it was made on cannot be taken for the same.
    """
    old, now = facts(base), facts(new)
    unlike = [(network(each) or "none") for each in (base, new)]
    found: tuple[str, ...] = ()
    if unlike[0] != unlike[1]:
        found = (f"the network was {unlike[0]}, is {unlike[1]}",)
    found += _browser_differences(browser(base), browser(new))
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


def browser(machine: dict[str, Any]) -> dict[str, Any]:
    """The browser that pages were measured in; empty where none were, or a record does not say."""
    found = machine.get("browser")
    return found if isinstance(found, dict) else {}


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
    if found := browser(machine):
        alike = {name: found.get(name) for name in _BROWSER}
        text += f"\nbrowser={_browser_series(found)} {json.dumps(alike, sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _browser_differences(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """How two browsers differ: their series, what they draw with, and how each page draws that both have measured.

    A run that measured no page has no browser, and no figure that one would matter for.
    """
    if not old or not new:
        return ()
    pairs: list[tuple[str, Any, Any]] = [("the browser", _browser_series(old), _browser_series(new))]
    pairs += [(words, old.get(name), new.get(name)) for name, words in _BROWSER.items()]
    pairs += [
        (f"frames a second with the frame limit {limit}", was, now)
        for limit, was, now in _of_both(old, new, "frames_per_second")
        if limit != "none" and abs(was - now) > _RATE_LEEWAY * max(was, now)
    ]
    pairs += [(f"what draws the page of {name}", was, now) for name, was, now in _of_both(old, new, "renderers")]
    return tuple(f"{name} was {_words(was)}, is {_words(now)}" for name, was, now in pairs if was != now)


def _of_both(old: dict[str, Any], new: dict[str, Any], name: str) -> list[tuple[str, Any, Any]]:
    """The entries of a table that both browsers have, with the value of each."""
    before, after = (each.get(name) or {} for each in (old, new))
    return [(key, before[key], after[key]) for key in before if key in after]


def _browser_series(found: dict[str, Any]) -> str:
    """``chromium 156``: figures of one series of a browser are compared."""
    return f"{found.get('name', 'browser')} {str(found.get('version', '')).partition('.')[0]}".strip()


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or "not recorded"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "not recorded"
    return "not recorded" if value in (None, "") else str(value)


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
