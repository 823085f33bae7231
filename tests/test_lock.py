"""The lock in ``requirements/`` holds what pyproject.toml asks for, for every Python that the package claims."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_build import hatch_build

ROOT = Path(__file__).parents[1]
FILES = ("bench", "dev", "node", "lock", "otava")
STALE = "the lock is stale; write it with: make lock"


class Pin(NamedTuple):
    """One line of a lock: a version, where it is meant to be installed, and how many hashes it may have."""

    name: str
    version: str
    marker: Marker | None
    hashes: int


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def pins(file: str) -> list[Pin]:
    """What ``requirements/FILE.txt`` pins."""
    text = (ROOT / "requirements" / f"{file}.txt").read_text()
    found = []
    for entry in re.sub(r" \\\n +", " ", text).splitlines():
        if entry.lstrip().startswith("#"):
            continue
        requirement, *hashes = entry.split(" --hash=sha256:")
        parsed = Requirement(requirement)
        (pin,) = parsed.specifier
        assert pin.operator == "==", entry
        found.append(Pin(canonicalize_name(parsed.name), pin.version, parsed.marker, len(hashes)))
    return found


def group(name: str) -> list[str]:
    """The requirements of a dependency group, those of the groups in it too."""
    found = []
    for each in project()["dependency-groups"][name]:
        found += [each] if isinstance(each, str) else group(each["include-group"])
    return found


def wanted(file: str) -> list[str]:
    """The requirements that ``requirements/FILE.txt`` is made from, as the Makefile names them."""
    if file in ("node", "lock", "otava"):
        return group(file)
    extra = project()["project"]["optional-dependencies"]["bench"]
    return [*project()["project"]["dependencies"], *extra, *group("build" if file == "bench" else "dev")]


def pythons() -> list[str]:
    return re.findall(r"Python :: (3\.\d+)", "\n".join(project()["project"]["classifiers"]))


def missing(requirements: list[str], held: list[Pin], python: str) -> list[str]:
    """Which of ``requirements`` no pin satisfies on Linux with ``python``."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.9"}
    environment |= {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"}
    here = {pin.name: pin.version for pin in held if pin.marker is None or pin.marker.evaluate(environment)}
    found = []
    for each in requirements:
        requirement = Requirement(each)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        version = here.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{each} (locked: {version})")
    return found


@pytest.mark.parametrize("python", pythons())
@pytest.mark.parametrize("file", FILES)
def test_the_lock_holds_what_the_project_asks_for(file: str, python: str) -> None:
    assert missing(wanted(file), pins(file), python) == [], STALE


def test_a_stale_lock_is_found() -> None:
    held = [Pin("rich", "13.0", None, 1), Pin("numpy", "2.0", Marker("python_full_version < '3.12'"), 1)]
    assert missing(["rich>=13", "numpy>=2.0"], held, "3.11") == []
    assert missing(["rich>=13", "numpy>=2.0"], held, "3.12") == ["numpy>=2.0 (locked: None)"]
    assert missing(["rich>=14", "uvloop"], held, "3.11") == ["rich>=14 (locked: 13.0)", "uvloop (locked: None)"]


@pytest.mark.parametrize("file", FILES)
def test_every_version_has_hashes_and_no_index_is_named(file: str) -> None:
    assert [pin.name for pin in pins(file) if pin.hashes == 0] == []
    assert "://" not in (ROOT / "requirements" / f"{file}.txt").read_text()


def test_bench_and_dev_agree_on_every_version() -> None:
    assert {(pin.name, pin.version) for pin in pins("bench")} <= {(pin.name, pin.version) for pin in pins("dev")}, STALE


def test_what_the_build_asks_for_is_locked() -> None:
    """``make`` builds without isolation, so pip does not look at these."""
    asked = list(project()["build-system"]["requires"])
    asked += [each for each in hatch_build.BUILD_REQUIREMENTS if each not in asked]
    assert set(asked) <= set(group("build")), STALE
    assert hatch_build.NODE_REQUIREMENT in group("node"), STALE
