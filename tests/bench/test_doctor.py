"""``web-terminal doctor`` on this machine, whatever its limits are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from web_terminal_suite.bench.machine import ProcessSpread, feasible, read_limits
from web_terminal_suite.cli.doctor import doctor

FAR_TOO_MANY = 10**9


def asked(*words: object) -> Result:
    return CliRunner().invoke(doctor, [str(word) for word in words])


def test_one_session_is_feasible_here() -> None:
    result = asked("--sessions", 1)
    assert result.exit_code == 0
    assert "1 session is feasible; the largest number is" in result.stdout
    assert "To reach" not in result.stdout


def test_too_many_are_not_and_every_short_limit_has_its_command() -> None:
    result = asked("--sessions", FAR_TOO_MANY)
    assert result.exit_code == 1
    assert "1,000,000,000 sessions are not feasible" in result.stdout
    # Remedies name how many processes and files there were a moment ago, so numbers may differ by a few.
    said = re.sub(r"\d+", "N", result.stdout)
    for each in feasible(read_limits(), ProcessSpread(), FAR_TOO_MANY).allowances:
        assert re.sub(r"\d+", "N", each.remedy) in said
    assert "sysctl -w kernel.pty.max=" in result.stdout
    assert "ulimit -n " in result.stdout


def test_json_says_the_same() -> None:
    result = asked("--sessions", 1, "--workers", 2, "--json")
    answer = json.loads(result.stdout)
    assert (answer["wanted"], answer["enough"], answer["spread"]["workers"]) == (1, True, 2)
    bounds = [each["sessions"] for each in answer["limits"] if each["sessions"] is not None]
    assert answer["feasible"] == min(bounds)
    assert answer["binding"] == answer["limits"][0]["name"]
    assert answer["machine"]["cpu_count"] == os.cpu_count()


@pytest.mark.parametrize("option", ["--sessions", "--workers", "--clients", "--addresses"])
def test_nothing_is_no_number(option: str) -> None:
    assert asked(option, 0).exit_code == 2


def limited(limit: str) -> subprocess.CompletedProcess[str]:
    """Asked for 250 sessions in a process of its own, whose descriptors are few."""
    code = "from web_terminal_suite.cli.doctor import doctor; doctor()"
    return subprocess.run(
        ["sh", "-c", f'{limit} && exec "$@"', "sh", sys.executable, "-c", code, "--json", "--sessions", "250"],
        capture_output=True,
        check=False,
        text=True,
    )


def test_a_lowered_limit_is_seen() -> None:
    result = limited("ulimit -n 264")
    answer = json.loads(result.stdout)
    assert result.returncode == 1
    assert (answer["feasible"], answer["binding"]) == (100, "descriptors (worker)")
    (client,) = [each for each in answer["limits"] if each["name"] == "descriptors (client)"]
    assert client["remedy"] == "ulimit -Hn 314 && ulimit -n 314 (as root; the hard limit is 264), or --clients 2"


def test_a_limit_that_every_client_raises_for_itself_does_not_count() -> None:
    result = limited("ulimit -Sn 264")
    assert result.returncode == 0, result.stdout


def test_it_loads_no_statistics() -> None:
    code = (
        "import sys; from web_terminal_suite.cli.doctor import doctor\n"
        "try: doctor([])\n"
        "except BaseException: pass\n"
        "print([name for name in ('numpy', 'scipy', 'web_terminal_suite.server') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]"
