"""What this project adds to pytest: what was not run or run again, floors of coverage, clean signals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.plugins.coverage_floors import PACKAGE, rooms, table
from tests.plugins.not_run import not_run
from tests.plugins.second_runs import MOST
from tests.test_lock import pins

ROOT = Path(__file__).parents[1]


def run_pytest(directory: Path, test: str, *words: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    """Pytest with this project's plugins on ``test``, apart from the run that this is part of."""
    (directory / "test_it.py").write_text(test)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the others take seconds to load
    plugins = [word for name in ("clean_signals", "not_run") for word in ("-p", f"tests.plugins.{name}")]
    command = [*prefix, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", *plugins]
    return subprocess.run(
        [*command, *words, "test_it.py"], cwd=directory, env=environment, capture_output=True, text=True, timeout=300
    )


# The last line


def test_reasons_are_counted_and_the_most_frequent_is_first() -> None:
    told = not_run(
        ["Skipped: gotty is missing", "Skipped: ttyd is missing;\n  get it", "Skipped: ttyd is missing; get it"]
    )
    assert told == "not run: 3 tests: 2 because ttyd is missing; get it | 1 because gotty is missing"
    assert not_run(["Skipped: no ttyd"]) == "not run: 1 test: 1 because no ttyd"
    assert not_run([]) == "not run: no test; nothing was missing"


SKIPPING = """
import pytest
@pytest.mark.parametrize("n", range(3))
def test_one(n):
    if n:
        pytest.skip("no such thing; get it")
"""


@pytest.mark.parametrize("words", [(), ("-p", "xdist", "-n", "1")], ids=["alone", "workers"])
def test_a_run_ends_with_what_was_not_run(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_pytest(tmp_path, SKIPPING, *words)
    *_, closing, last = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert closing.startswith("1 passed, 2 skipped in ")
    assert last == "not run: 2 tests: 2 because no such thing; get it"


# The browser


@pytest.mark.parametrize(("words", "outcome"), [((), "1 skipped"), (("--require-browser",), "1 error")])
def test_a_missing_browser_fails_the_run_where_it_is_required(
    tmp_path: Path, words: tuple[str, ...], outcome: str
) -> None:
    test = "from tests.page.conftest import browser\ndef test_page(browser):\n    pass\n"
    done = run_pytest(tmp_path, test, *words, prefix=("env", "--unset=CI", f"PATH={tmp_path}"))
    assert outcome in done.stdout, done.stdout + done.stderr
    assert "Chromium is missing" in done.stdout
    assert done.returncode == (1 if words else 0)


def test_ci_requires_the_browser() -> None:
    for file in (".ci/run", ".github/workflows/ci.yml"):
        assert "--require-browser" in (ROOT / file).read_text(), file


# Hooks


def test_hooks_run_what_the_lock_holds() -> None:
    for hook in YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        program = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert program in {pin.name for pin in pins("dev")}


# Signals


def test_programs_of_a_test_run_in_the_background_ignore_no_signal(tmp_path: Path) -> None:
    test = (
        "import pathlib, subprocess\n"
        "def test_one():\n"
        "    status = subprocess.run(['cat', '/proc/self/status'], stdout=subprocess.PIPE, text=True).stdout\n"
        "    ignored = int(status.split('SigIgn:')[1].split()[0], 16)\n"
        "    assert ignored & 0b111 == 0  # SIGHUP, SIGINT, SIGQUIT\n"
    )
    done = run_pytest(tmp_path, test, prefix=("sh", "-c", 'trap "" HUP INT QUIT; exec "$@"', "sh"))
    assert done.returncode == 0, done.stdout


# Coverage


def measured(**files: tuple[int, int, int, int]) -> dict[str, object]:
    keys = ("covered_lines", "num_statements", "covered_branches", "num_branches")
    return {
        "files": {
            f"{PACKAGE}{path.replace('__', '/')}.py": {"summary": dict(zip(keys, counts, strict=True))}
            for path, counts in files.items()
        }
    }


def test_a_room_is_all_its_files_lines_and_branches() -> None:
    report = measured(stats__a=(8, 10, 1, 2), stats__b=(5, 5, 3, 3), statsother=(0, 100, 0, 0), access=(1, 1, 0, 0))
    found = rooms(report, {"stats": 85, "access": 100, "gone": 50})
    assert [(room.name, room.percent, room.is_below) for room in found] == [
        ("stats", 85.0, False),
        ("access", 100.0, False),
        ("gone", 0.0, True),
    ]
    assert [line.endswith("BELOW") for line in table(found)] == [False, False, True]


def test_every_room_that_is_measured_has_a_floor() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    named = {
        path.removeprefix(PACKAGE).removesuffix("/*").removesuffix(".py")
        for path in settings["coverage"]["run"]["include"]
    }
    assert named == set(settings["web-terminal"]["coverage-floors"])


SETTINGS = f"""
[tool.coverage.run]
include = ["{PACKAGE}*"]
branch = true
[tool.coverage.json]
output = "report.json"
[tool.web-terminal.coverage-floors]
room = FLOOR
"""
COVERED = f"""
import sys
sys.path.insert(0, "{PACKAGE}")
import room
def test_one():
    assert room.covered()
"""


@pytest.mark.parametrize(("floor", "status"), [(70, 0), (90, 1)])
def test_a_room_below_its_floor_fails_the_run(tmp_path: Path, floor: int, status: int) -> None:
    source = tmp_path / PACKAGE
    source.mkdir(parents=True)
    (source / "room.py").write_text("def covered():\n    return 1\n\n\ndef missed():\n    return 2\n")
    (tmp_path / "pyproject.toml").write_text(SETTINGS.replace("FLOOR", str(floor)))
    plugin = ("--rootdir=.", "-p", "tests.plugins.coverage_floors", "-p", "pytest_cov")
    done = run_pytest(tmp_path, COVERED, *plugin, "--cov", "--cov-report=json", "--coverage-floors")
    assert done.returncode == status, done.stdout + done.stderr
    assert f"room                      75.00 %  floor {floor:5.1f} %{'  BELOW' if status else ''}\n" in done.stdout


# Tests that are run again

AGAIN = """
import pathlib
import pytest
@pytest.mark.parametrize("n", range({tests}))
def test_one(n):
    seen = pathlib.Path(f"seen{{n}}")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


@pytest.mark.parametrize("words", [(), ("-p", "xdist", "-n", "1")], ids=["alone", "workers"])
@pytest.mark.parametrize("tests", [MOST, MOST + 1])
def test_few_tests_may_pass_the_second_time_and_are_named(tmp_path: Path, words: tuple[str, ...], tests: int) -> None:
    plugins = ("-p", "pytest_rerunfailures", "-p", "tests.plugins.second_runs", "--reruns", "1")
    done = run_pytest(tmp_path, AGAIN.format(tests=tests), *plugins, *words)
    assert done.returncode == (0 if tests == MOST else 1), done.stdout
    assert all(f"test_it.py::test_one[{n}]" in done.stdout.splitlines() for n in range(tests))
    assert ("more than 3 fail the run" in done.stdout) == (tests > MOST)
    assert re.search(rf"^{tests} passed, .*{tests} rerun in ", done.stdout, re.MULTILINE)


def test_a_test_that_fails_twice_fails_the_run(tmp_path: Path) -> None:
    plugins = ("-p", "pytest_rerunfailures", "-p", "tests.plugins.second_runs", "--reruns", "1")
    done = run_pytest(tmp_path, "def test_it():\n    assert 0\n", *plugins)
    assert done.returncode == 1
    assert "1 failed, 1 rerun in " in done.stdout
