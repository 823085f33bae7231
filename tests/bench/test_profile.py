"""Profiles: of a real server under py-spy, and the sums and pictures that stacks amount to."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

import web_terminal_suite
from web_terminal_suite.bench import profile
from web_terminal_suite.bench.profile import (
    SERVER_PROCESSES,
    Profile,
    ProfileError,
    ProfilerMissing,
    Stack,
    TracingForbidden,
    flame_graph,
    parse_stacks,
    processes_of,
    read_stacks,
    recorded,
)
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.server import processes

SVG = "{http://www.w3.org/2000/svg}"
# prctl(2), capabilities(7)
_PR_CAPBSET_DROP = 24
_CAP_SYS_PTRACE = 19

IDLE = "import signal\nsignal.sigwait([signal.SIGUSR1])"
COLLAPSED = """\
<module> (main.py:9);run (main.py:3);read (web_terminal_suite/pty.py:10) 6
<module> (main.py:9);run (main.py:4);read (web_terminal_suite/pty.py:12) 2
<module> (main.py:9);run (main.py:3) 1
<module> (main.py:9);walk (main.py:5);walk (main.py:6);walk (main.py:6) 3
"""


def tracing_is_allowed() -> bool:
    """Whether this system lets a process look into one that is not its child's child (``ptrace(2)``)."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return os.geteuid() == 0 or not scope.exists() or scope.read_text().strip() == "0"


needs_tracing = pytest.mark.skipif(
    not tracing_is_allowed(), reason="tracing is forbidden; allow it with: sysctl kernel.yama.ptrace_scope=0"
)


def spawn(code: str) -> subprocess.Popen[str]:
    """A Python program that has said that it runs."""
    program = started(sys.executable, "-c", "print('up', flush=True)\n" + textwrap.dedent(code))
    assert program.stdout.readline() == "up\n"
    return program


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end(program: subprocess.Popen[str]) -> None:
    program.kill()
    program.wait()
    program.stdout.close()


# Recording


def test_processes_of_our_server_are_known_by_the_modules_that_it_starts() -> None:
    package = Path(web_terminal_suite.__file__).parent
    started = {
        ".".join((package.name, *path.relative_to(package).with_suffix("").parts))
        for path in (package / "server").rglob("*.py")
        if re.search(r'^if __name__ == "__main__":', path.read_text(), re.MULTILINE)
    }
    # Forked, so it has no entry of its own; the supervisor gives it a command line that names its module.
    assert set(SERVER_PROCESSES) == {*started, processes.HOST_MODULE}


@needs_tracing
async def test_a_running_server_is_recorded_process_by_process(tmp_path: Path) -> None:
    async with WebTerminal().launch() as running:
        processes = processes_of(running.process.server_pids())
        assert set(processes) == {"supervisor", "worker", "host"}
        async with recorded(processes, tmp_path / "deep" / "below") as profiles, running.connect() as connection:
            await connection.attach()
            for _ in range(100):
                await connection.run("true")
            await connection.run("seq 300000")
        assert running.died == ""
    assert [each.process for each in profiles] == list(processes)
    for each in profiles:
        assert each.stacks.is_file()
        ElementTree.parse(each.picture)
    worker = next(each for each in profiles if each.process == "worker")
    functions = {function for stack in read_stacks(worker) for function in stack.frames}
    assert any("web_terminal_suite/server/worker/" in function for function in functions)


@needs_tracing
async def test_the_function_that_takes_the_time_comes_first(tmp_path: Path) -> None:
    program = spawn("""
        def spin():
            return sum(range(50000))
        def work():
            while True:
                spin()
        work()
    """)
    try:
        async with recorded({"busy": program.pid}, tmp_path, rate=500) as (busy,):
            await _used_cpu_seconds(program.pid, 0.5)
    finally:
        end(program)
    stacks = read_stacks(busy)
    everything = sum(stack.samples for stack in stacks)
    spinning = sum(stack.samples for stack in stacks if stack.frames[-1] == "spin (<string>)")
    assert spinning / everything > 0.8
    assert sum(stack.samples for stack in stacks if "work (<string>)" in stack.frames) == everything


@needs_tracing
async def test_processes_that_end_meanwhile_leave_what_was_seen(tmp_path: Path) -> None:
    """Their recorders end by themselves then; that several do so at once found a status that got lost."""
    programs = {f"brief-{number}": spawn("while True: pass") for number in range(6)}
    pids = {name: program.pid for name, program in programs.items()}
    async with recorded(pids, tmp_path) as profiles:
        for program in programs.values():
            await _used_cpu_seconds(program.pid, 0.1)
            end(program)
    assert all(read_stacks(each) for each in profiles)


@needs_tracing
async def test_an_idle_process_gives_an_empty_profile(tmp_path: Path) -> None:
    program = spawn(IDLE)
    try:
        async with recorded({"idle": program.pid}, tmp_path) as (idle,):
            pass
    finally:
        end(program)
    ElementTree.parse(idle.picture)


@needs_tracing
async def test_a_failing_block_leaves_no_recorder_and_the_process_as_it_was(tmp_path: Path) -> None:
    program = spawn(IDLE)
    try:
        with pytest.raises(KeyError, match="the benchmark's own"):
            async with recorded({"idle": program.pid}, tmp_path):
                raise KeyError("the benchmark's own")
        assert _recorders() == []
        assert _state(program.pid) != "t"
    finally:
        end(program)


async def test_a_process_without_python_is_refused_in_words(tmp_path: Path) -> None:
    sleeper = started("sleep", "60")
    try:
        assert processes_of([sleeper.pid]) == {}
        with pytest.raises(ProfileError, match=rf"cannot profile shell \(process {sleeper.pid}\): "):
            async with recorded({"shell": sleeper.pid}, tmp_path):
                pytest.fail("the block ran")
    finally:
        end(sleeper)
    assert _recorders() == []


async def test_a_process_that_is_gone_is_refused_in_words(tmp_path: Path) -> None:
    gone = started("true")
    end(gone)
    assert processes_of([gone.pid]) == {}
    with pytest.raises(ProfileError, match="py-spy: failed to get process executable name"):
        async with recorded({"gone": gone.pid}, tmp_path):
            pytest.fail("the block ran")


def test_a_forbidden_process_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Init is not ours to look into: it is another user's, or has the capability that py-spy is without."""
    code = f"""
        import asyncio, ctypes, sys
        from pathlib import Path
        from web_terminal_suite.bench.profile import TracingForbidden, recorded
        async def main():
            async with recorded({{"init": 1}}, Path(sys.argv[1])):
                print("the block ran")
        ctypes.CDLL(None).prctl({_PR_CAPBSET_DROP}, {_CAP_SYS_PTRACE}, 0, 0, 0)
        try:
            asyncio.run(main())
        except TracingForbidden as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "cannot profile init (process 1): " in done.stdout, done.stderr
    assert "kernel.yama.ptrace_scope=0" in done.stdout


async def test_without_py_spy_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(profile.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ProfilerMissing, match=r"pip install 'web-terminal-suite\[profile\]'"):
        async with recorded({"self": os.getpid()}, tmp_path):
            pytest.fail("the block ran")


@needs_tracing
async def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProfileError, match="file/below: "):
        async with recorded({"self": os.getpid()}, tmp_path / "file" / "below"):
            pytest.fail("the block ran")


@needs_tracing
async def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    program = spawn("while True: pass")
    try:
        (tmp_path / "busy.folded").mkdir()
        with pytest.raises(ProfileError, match=r"cannot profile busy .*: py-spy: "):
            async with recorded({"busy": program.pid}, tmp_path):
                await _used_cpu_seconds(program.pid, 0.1)
    finally:
        end(program)


def test_programs_are_named_and_numbered() -> None:
    programs = [spawn(IDLE) for _ in range(2)]
    try:
        names = processes_of(each.pid for each in programs)
        assert list(names.values()) == [each.pid for each in programs]
        assert len(names) == 2
    finally:
        for each in programs:
            end(each)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("Permission Denied: Try running again with elevated permissions", TracingForbidden, "SYS_PTRACE"),
        ("Error: Operation not permitted (os error 1)\n", TracingForbidden, "SYS_PTRACE"),
        ("Error: Failed to find python version\n\nCaused by: x\n", ProfileError, "failed to find python version"),
        ("Sampling process 9 times\n\nError: Permission denied (os error 13)\n", ProfileError, "permission denied"),
        ("", ProfileError, "it said nothing"),
    ],
)
def test_what_py_spy_says_becomes_one_sentence(said: str, kind: type[ProfileError], words: str) -> None:
    error = profile.refusal(Profile("worker", 7, 100, Path("a"), Path("b")), said)
    assert type(error) is kind
    assert "worker (process 7)" in str(error)
    assert words in str(error)
    assert "\n" not in str(error)


# Adding up


def test_stacks_are_read_and_lines_of_one_function_added() -> None:
    assert parse_stacks(COLLAPSED) == (
        Stack(("<module> (main.py)", "run (main.py)", "read (web_terminal_suite/pty.py)"), 8),
        Stack(("<module> (main.py)", "run (main.py)"), 1),
        Stack(("<module> (main.py)", "walk (main.py)", "walk (main.py)", "walk (main.py)"), 3),
    )
    assert parse_stacks("\n\n") == ()


@pytest.mark.parametrize("garbage", ["a", "a;b", "a;b x", "a -1", "a ²", " 3", "<svg>"])
def test_what_is_no_stack_is_refused_with_its_line(garbage: str) -> None:
    with pytest.raises(ProfileError, match="line 2 is no stack"):
        parse_stacks(f"a;b 1\n{garbage}\n")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"nowhere\.folded: no such file"):
        read_stacks(Profile("worker", 7, 100, Path("nowhere.folded"), Path("nowhere.svg")))


# Drawing


def boxes(svg: str) -> dict[str, tuple[float, float, float]]:
    """Left edge, width and top of each box, by its tool tip without the samples."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        left, width, top = (float(rect.get(name)) for name in ("x", "width", "y"))
        found.setdefault(group.find(f"{SVG}title").text.rpartition(": ")[0], (left, width, top))
    return found


def test_boxes_are_as_wide_as_their_samples_and_below_their_caller() -> None:
    found = boxes(flame_graph(parse_stacks(COLLAPSED), "worker"))
    module, run, read = (found[name] for name in found if not name.startswith("walk"))
    assert module[1] == pytest.approx(1200, abs=1)
    assert run[1] == pytest.approx(1200 * 9 / 12, abs=1)
    assert read[1] == pytest.approx(1200 * 8 / 12, abs=1)
    assert module[2] < run[2] < read[2]
    assert run[0] <= read[0]
    assert read[0] + read[1] <= run[0] + run[1]


def test_names_are_data_and_nothing_in_the_picture_runs_or_loads() -> None:
    svg = flame_graph((Stack(('<script>alert(1)</script> & "x" \x00\x1b',), 3),), "<b>worker</b>")
    root = ElementTree.fromstring(svg)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {"svg", "title", "rect", "text", "g"}
    assert not any(name in ("style", "href") or name.startswith("on") for each in root.iter() for name in each.attrib)
    assert root.find(f"{SVG}title").text == "<b>worker</b>"


def test_the_deepest_stack_that_python_allows_can_be_drawn() -> None:
    svg = flame_graph((Stack(tuple(f"f{number} (a.py)" for number in range(5000)), 1),), "deep")
    assert len(boxes(svg)) == 5000


def test_a_process_that_did_nothing_has_a_picture_that_says_so() -> None:
    assert "did nothing" in flame_graph((), "idle")


# Helpers


async def _used_cpu_seconds(pid: int, seconds: float) -> None:
    """Return once the process used that much more of a processor."""
    ticks = os.sysconf("SC_CLK_TCK")

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    until = used() + seconds
    async with asyncio.timeout(60):
        while used() < until:
            await asyncio.sleep(0.01)  # /proc offers no event for it


def _recorders() -> list[int]:
    """Children of this process that run py-spy."""
    found = []
    for thread in Path("/proc/self/task").iterdir():
        pids = (thread / "children").read_text().split()
        found += [int(pid) for pid in pids if "py-spy" in Path(f"/proc/{pid}/cmdline").read_text()]
    return found


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_py_spy_is_there_for_these_tests() -> None:
    assert shutil.which("py-spy", path=str(Path(sys.executable).parent)), "install it with: pip install --group dev"
