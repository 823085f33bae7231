"""``bench --list`` names benchmarks without what only measuring needs: told by what is imported, not by the time."""

from __future__ import annotations

import os
import subprocess
import sys
import termios

import pytest

from web_terminal_suite.bench.plan import name, select
from web_terminal_suite.bench.suites.catalogue import CATALOGUE
from web_terminal_suite.cli.listing import Listed, lines, only_lists

# Each costs as much as the interpreter's own start, or more.
NEVER = {
    "typer", "click", "rich", "asyncio.base_events", "ssl", "subprocess", "picows", "uvloop", "numpy", "scipy",
    "psutil", "uvicorn", "starlette", "sqlite3", "email", "http",
    "web_terminal_suite.server", "web_terminal_suite.bench.runner",
    "web_terminal_suite.bench.analysis", "web_terminal_suite.bench.report", "web_terminal_suite.client.connection",
}  # fmt: skip

_LOADED = """
import sys
import termios
from web_terminal_suite.cli.main import main
try:
    main()
finally:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def command(*words: str, program: tuple[str, ...] = ("-m", "web_terminal_suite")) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *program, *words], capture_output=True, text=True, timeout=60)


def test_the_list_is_whole_and_imports_nothing_that_only_measuring_needs():
    done = command("bench", "--list", program=("-c", _LOADED))
    assert done.returncode == 0, done.stderr
    listed = done.stdout.splitlines()
    assert [line.partition("  ")[0] for line in listed] == [name(*each) for each in select(CATALOGUE, ())]
    for line, (benchmark, parameter) in zip(listed, select(CATALOGUE, ()), strict=True):
        assert line.endswith(f"  {benchmark.description}")
        assert ("  --full  " in line) == (parameter in benchmark.full)
    loaded = done.stderr.splitlines()
    assert "web_terminal_suite.bench.suites.catalogue" in loaded
    assert NEVER.isdisjoint(loaded), NEVER.intersection(loaded)


@pytest.mark.parametrize("filters", [("execute_echo",), ("spawn_time", "lookup/1$"), ("spwn",)])
def test_the_quick_way_says_what_the_whole_command_says(filters):
    quick = command("bench", "--list", *filters)
    # Any other flag goes the whole way.
    whole = command("bench", "--list", "--quick", *filters)
    assert (quick.returncode, quick.stdout, quick.stderr) == (whole.returncode, whole.stdout, whole.stderr)
    assert quick.returncode == (2 if "spwn" in filters else 0)
    assert bool(quick.stdout) is (quick.returncode == 0)


@pytest.mark.parametrize(
    ("words", "only"),
    [
        (["bench", "--list"], True),
        (["bench", "echo", "--list", "lookup"], True),
        (["bench", "--list", "--list"], True),
        (["bench"], False),
        (["bench", "echo"], False),
        (["bench", "--list", "--help"], False),
        (["bench", "--list", "--seed", "1"], False),
        (["bench", "--list", "--", "--list"], False),
        (["--version", "bench", "--list"], False),
        (["serve", "--list"], False),
        ([], False),
    ],
)
def test_it_is_taken_for_nothing_but_the_list(words, only):
    assert only_lists(words) is only


@pytest.mark.parametrize(
    ("words", "typed", "among"),
    [
        ("web-terminal bench", "command_execution/execute_echo_s", "command_execution/execute_echo_simple"),
        ("web-terminal bench", "lookup/1000", "session_creation/session_lookup/1000"),
        ("web-terminal bench --terminal", "tty", "ttyd"),
        ("web-terminal bench --baseline", "ma", "main"),
        ("web-terminal validate", "ma", "main"),
        ("web-terminal compare", "ma", "main"),
        ("web-terminal compare main", "ma", "main"),
        ("web-terminal compare --correction", "ho", "holm"),
        ("web-terminal compare --statistic", "p9", "p99.9"),
        ("web-terminal history", "lookup/1000", "session_creation/session_lookup/1000"),
        ("web-terminal history --statistic", "sl", "slope"),
        ("web-terminal load --terminal", "nul", "null-server"),
    ],
)
def test_the_shell_completes_what_there_is(tmp_path, words, typed, among):
    kept = tmp_path / "baselines"
    kept.mkdir()
    (kept / "main.json").touch()
    program = "import sys; sys.argv[0] = 'web-terminal'; from web_terminal_suite.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "_WEB_TERMINAL_COMPLETE": "bash_complete", "COMP_WORDS": f"{words} {typed}",
            "COMP_CWORD": str(len(words.split())), "WEB_TERMINAL_BENCH_HOME": str(tmp_path),
        },
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert f"plain,{among}" in done.stdout.splitlines(), done


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_a_narrow_terminal_shows_every_name_mark_and_description(columns):
    found = [
        Listed(name(*each), "--full" if each[1] in each[0].full else "", each[0].description, each[0].id)
        for each in select(CATALOGUE, ())
    ]
    listed = list(lines(found, columns))
    names = [line for line in listed if not line.startswith(" ")]
    assert names == [f"{each.name}  {each.mark}".rstrip() for each in found]
    assert [line for line in listed if line not in names and len(line) > columns] == []
    text = " ".join(" ".join(listed).split())
    for each in found:
        assert each.description in text
    wide = list(lines(found, 0))
    assert list(lines(found, max(map(len, wide)))) == wide


def test_the_list_is_made_for_the_terminal_it_is_on():
    master, terminal = os.openpty()
    with open(master, "rb", buffering=0) as read:
        termios.tcsetwinsize(terminal, (24, 80))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        words = [sys.executable, "-m", "web_terminal_suite", "bench", "--list", "execute_echo_simple"]
        with subprocess.Popen(words, stdout=terminal, env=environment) as process:
            os.close(terminal)
            text = b""
            while not text.endswith(b"arrived.\r\n"):
                text += read.read(1000)
        assert process.returncode == 0
    assert text.decode().splitlines() == [
        "command_execution/execute_echo_simple",
        "    A command line sent to a shell that waits at its prompt, until its computed",
        "    output has arrived.",
    ]
