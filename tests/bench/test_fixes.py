"""Limits raised, on what this test may change: files of its own, and processes it started."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import msgspec
import pytest
from click.testing import CliRunner

from web_terminal_suite.bench.machine import ProcessSpread, SessionCapacity, feasible, fix, read_limits
from web_terminal_suite.bench.machine.limits import DESCRIPTORS_KEPT
from web_terminal_suite.cli.doctor import doctor


def row(name: str, value: int, needed: int | None = None) -> SessionCapacity:
    return SessionCapacity(name=name, value=value, sessions=1, cost="", remedy="do something", needed=needed)


def test_a_file_of_the_kernels_is_written_and_read_back(tmp_path):
    limit = tmp_path / "pids.max"
    limit.write_text("100\n")
    limits = msgspec.structs.replace(read_limits(), cgroup_pids_file=str(limit))
    (done,) = fix([row("cgroup pids.max", 100, 5_000)], limits)
    assert (done.before, done.after, done.refused) == ("100", "6000", "")
    assert limit.read_text() == "6000"


def test_what_cannot_be_written_says_why(tmp_path):
    limits = msgspec.structs.replace(read_limits(), cgroup_pids_file=str(tmp_path / "nowhere" / "pids.max"))
    (done,) = fix([row("cgroup pids.max", 100, 5_000)], limits)
    assert done.after == done.before
    assert "6000 was refused: no such file or directory" in done.refused


def test_what_the_kernel_makes_of_it_is_what_is_told(tmp_path):
    pipe = tmp_path / "takes less"
    pipe.write_text("100")
    # A device that swallows: written without an error, and read back as it was.
    pipe.unlink()
    pipe.symlink_to(os.devnull)
    limits = msgspec.structs.replace(read_limits(), cgroup_pids_file=str(pipe))
    (done,) = fix([row("cgroup pids.max", 100, 5_000)], limits)
    assert "6000 was written, and the kernel made" in done.refused


def test_what_is_no_setting_is_left_to_people():
    (done,) = fix([row("memory", 100)], read_limits())
    assert done.refused == "no setting: do something"


def test_no_process_may_open_more_than_the_kernel_lets_any():
    limits = msgspec.structs.replace(read_limits(), nr_open=1_000)
    (done,) = fix([row("descriptors (host)", 100, 900), row("descriptors (worker)", 100, 2_000)], limits)
    assert "2000 is above fs.nr_open = 1000" in done.refused


RAISES = """
import sys
from web_terminal_suite.bench.machine import SessionCapacity, fix, read_limits
needed = int(sys.argv[1])
row = SessionCapacity(name="descriptors (client)", value=0, sessions=0, cost="", remedy="ulimit", needed=needed)
print(fix([row], read_limits())[0].refused)
"""


def test_a_shells_own_limit_is_raised_for_what_it_starts_next(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 300 if hard == resource.RLIM_INFINITY else min(300, hard)
    script = tmp_path / "raises.py"
    script.write_text(RAISES)
    # The echo behind it keeps the shell from becoming the program.
    line = f'ulimit -Sn 100; "{sys.executable}" "{script}" {wanted}; ulimit -Sn'
    ran = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == [str(wanted)], ran.stderr


def test_a_limit_that_is_enough_needs_nothing_and_one_that_is_not_says_what_it_needs():
    limits = read_limits()
    assert all(each.needed is None for each in feasible(limits, ProcessSpread(), 1).allowances)
    tight = DESCRIPTORS_KEPT + 10
    few = msgspec.structs.replace(limits, nofile_soft=tight, nofile_hard=tight, pty_max=limits.pty_open + 5)
    needs = {each.name: each.needed for each in feasible(few, ProcessSpread(), 100).allowances if each.remedy}
    assert needs["descriptors (client)"] == 100 + DESCRIPTORS_KEPT
    assert needs["descriptors (worker)"] == 200 + DESCRIPTORS_KEPT
    assert needs["kernel.pty.max"] > 100


def test_where_there_is_room_nothing_is_changed():
    ran = CliRunner().invoke(doctor, ["--sessions", "1", "--fix"])
    assert ran.exit_code == 0
    assert "raised" not in ran.stdout
    ran = CliRunner().invoke(doctor, ["--sessions", "1", "--fix", "--json"])
    assert json.loads(ran.stdout)["fixes"] == []


@pytest.mark.parametrize("sessions", [1, 10**9])
def test_without_being_asked_nothing_is_changed(sessions):
    before = read_limits()
    CliRunner().invoke(doctor, ["--sessions", str(sessions)])
    after = read_limits()
    assert (after.pty_max, after.file_max, after.nofile_soft) == (before.pty_max, before.file_max, before.nofile_soft)
