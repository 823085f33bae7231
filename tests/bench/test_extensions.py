"""Benchmarks, behaviours and terminals of others: the page about them as it stands, and everything that is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from web_terminal_suite.bench import extension_modules, record
from web_terminal_suite.bench.extensions import ExtensionError, load_extensions
from web_terminal_suite.bench.pipeline import BenchOptions, OptionsError, plan
from web_terminal_suite.bench.plan import name, select

TEXT = (Path(__file__).parents[2] / "docs/extending.md").read_text()
SUITE, LOAD, TERMINAL = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
SCENARIO, PROJECT = re.findall(r"^```toml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
FILES = {"my_suite.py": SUITE, "my_load.py": LOAD, "my_terminal.py": TERMINAL, "my_load.toml": SCENARIO}
_GUARD_SECONDS = 120
SHORT = ("--quick", "--sample-size", "20", "--noplot", "--no-history", "--discard-baseline")


def asked(*words: object, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WEB_TERMINAL_")}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-m", "web_terminal_suite", *map(str, words)],
        capture_output=True, text=True, cwd=cwd, env=environment, timeout=_GUARD_SECONDS,
    )  # fmt: skip


def bench(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A short run; where the machine is too busy for the suite to prove itself, the test is skipped."""
    ran = asked("bench", *SHORT, *words, cwd=cwd)
    if "cannot be trusted" in ran.stderr:
        pytest.skip(f"too much other work on this machine: {ran.stderr}")
    return ran


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    return tmp_path


def test_a_benchmark_is_listed_with_where_it_comes_from_and_filtered(here):
    ran = asked("bench", "--extension", "my_suite.py", "--list", "mine", cwd=here)
    assert re.fullmatch(r"mine/first_output +\(my_suite.py\) From the request .*\n", ran.stdout)
    whole = asked("bench", "--list", "--extension", "my_suite.py", cwd=here).stdout.splitlines()
    assert len(whole) > 100
    assert sum("(my_suite.py)" in line for line in whole) == 1


def test_a_benchmark_is_run_judged_and_its_record_is_read_without_it(here):
    ran = bench("--extension", "my_suite.py", "mine/first_output", "--json", "run.json", cwd=here)
    assert ran.returncode in (0, 3), ran.stdout + ran.stderr
    (here / "my_suite.py").unlink()
    run = record.load(here / "run.json")
    assert run.options["extensions"] == ["my_suite.py"]
    (facts,) = [each for each in run.benchmarks if each.id == "mine/first_output"]
    assert facts.description == "From the request for a session to its first output."
    for words in (
        ("validate", "run.json"),
        ("report", "run.json", "--format", "markdown"),
        ("export", "run.json", "--format", "csv"),
    ):
        read = asked(*words, cwd=here)
        assert read.returncode in (0, 3), read.stderr
    assert "mine/first_output" in read.stdout
    assert "mine/first_output" in (here / "PERFORMANCE_REPORT.md").read_text()


def test_a_terminal_is_measured_by_its_name(here):
    ran = bench(
        "--extension", "my_terminal.py", "--terminal", "ours-as-ttyd", "execute_echo_simple", "--json", "run.json",
        cwd=here,
    )  # fmt: skip
    assert ran.returncode in (0, 1, 3), ran.stdout + ran.stderr
    run = record.load(here / "run.json")
    ours = [trial for trial in run.trials if trial.cell.terminal == "ours-as-ttyd" and trial.samples]
    assert ours
    assert not any(trial.problem for trial in ours)


def test_a_terminal_of_a_file_floods_from_another_process(here):
    """The client process that floods is told the terminal's protocol, a class of the file."""
    chosen = ("--terminal", "ours-as-ttyd", "--full", "typing_under_flood/1$")
    ran = bench("--extension", "my_terminal.py", *chosen, cwd=here)
    assert ran.returncode in (0, 1, 3), ran.stdout + ran.stderr


def test_a_behaviour_is_played_in_load_generators(here):
    words = ("--extension", "my_load.py", "--scenario", "my_load.toml", "--clients", "2", "--noplot", "--seed", "7")
    ran = asked("load", *words, "--json", "run.json", cwd=here)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 target: 1 passed; exit 0" in ran.stdout
    run = record.load(here / "run.json")
    samples = [each for trial in run.trials if trial.cell.benchmark == "load/look" for each in trial.samples]
    assert len(samples) == 20
    assert {each.outcome for each in samples} == {"ok"}
    assert "A listing of a directory" in json.dumps([each.description for each in run.benchmarks])


def test_a_behaviour_has_its_share_by_flag(here):
    words = ("--sessions", "6", "--duration", "2", "--typing", "0", "--extension", "my_load.py", "--mix", "look=50%")
    ran = asked("load", *words, "--noplot", "--json", "run.json", cwd=here)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    run = record.load(here / "run.json")
    assert sum(len(trial.samples) for trial in run.trials if trial.cell.benchmark == "load/look") == 3


def test_an_error_in_a_behaviour_names_it_and_its_line(here):
    broken = LOAD.replace('        await user.connection.run("ls")\n', "        raise KeyError('typo')\n")
    line = broken.splitlines().index("        raise KeyError('typo')") + 1
    (here / "my_load.py").write_text(broken)
    words = ("--sessions", "4", "--duration", "3", "--typing", "0", "--extension", "my_load.py", "--mix", "look=2")
    ran = asked("load", *words, "--noplot", "--clients", "1", cwd=here)
    assert ran.returncode == 4
    assert f"my_load.py:{line}): KeyError: 'typo'" in ran.stderr


def test_an_installed_package_needs_no_flag(here):
    """Its metadata as pip writes it, so that nothing is installed into the environment of the tests."""
    assert '[project.entry-points."web_terminal_suite.extensions"]\nmine = "my_suite"' in PROJECT
    metadata = here / "my_suite-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-suite\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[web_terminal_suite.extensions]\nmine = my_suite\n")
    ran = asked("bench", "--list", "mine", cwd=here, path=here)
    assert re.fullmatch(r"mine/first_output +\(my-suite\) .*\n", ran.stdout), ran.stderr
    assert asked("bench", "--list", "--quick", "mine", cwd=here, path=here).stdout == ran.stdout
    (here / "my_suite.py").write_text("import no_such_module\n")
    broken = asked("bench", "--list", cwd=here, path=here)
    assert broken.returncode == 2
    assert (
        "my_suite.py:1: ModuleNotFoundError: No module named 'no_such_module'; mend it, or uninstall my-suite"
        in broken.stderr
    )


GOOD = SUITE.partition("BENCHMARKS")[0]
METRIC = 'Metric(name="latency", targets=below("p50", 500, 100, "p50 < 500 ms"))'


def line(text: str, of: str) -> int:
    """The line of ``text`` that has ``of`` in it."""
    return next(number for number, each in enumerate(text.splitlines(), start=1) if of in each)


def changed(text: str, old: str, new: str, of: str, words: str) -> tuple[str, str]:
    """A file with one fault, and what is said of it at the line that has ``of`` in it."""
    assert old in text
    text = text.replace(old, new)
    return text, rf"x.py:{line(text, of)}: {words}"


ID, LOOK = 'id="', 'name="look"'
BROKEN = {
    "import": ("import os\nimport no_such_module\n", r"x.py:2: ModuleNotFoundError: No module named .*; mend it"),
    "syntax": ("def f(:\n", r"x.py:1: .*syntax.*; mend it"),
    "raises": ("def f():\n    raise ValueError('no')\n\nf()\n", r"x.py:2: ValueError: no; mend it"),
    "exits": ("import sys\n\nsys.exit(0)\n", r"x.py:3: SystemExit: 0; mend it"),
    "terminal exits": changed(
        TERMINAL, "def version", "def __init__(self):\n        raise SystemExit(0)\n\n    def version", 'name = "',
        "terminal OursAsTtyd: it cannot be made without arguments: SystemExit: 0",
    ),
    "nothing": ("x = 1\n", r"x.py:1: it declares nothing; assign BENCHMARKS, TERMINALS, BEHAVIOURS or one of them"),
    "no tuple": ("\nBENCHMARKS = 7\n", r"x.py:2: BENCHMARKS is 7 of type int; make it a tuple of Benchmark objects"),
    "wrong type": ("BENCHMARKS = ('mine',)\n", r"x.py:1: BENCHMARKS has 'mine' of type str in it; it takes Benchmark"),
    "missing field": (GOOD + "BENCHMARKS = (Benchmark(id='a/b'),)\n", r"x.py:\d+: TypeError: .*missing .*; mend it"),
    "duplicate": changed(
        SUITE, "mine/first_output", "session_creation/session_lookup", ID,
        "there is a benchmark 'session_creation/session_lookup' already, of the suite; give this one another name",
    ),
    "id": changed(SUITE, "mine/first_output", "mine", ID, "benchmark 'mine': its id must be suite/name"),
    "needs": changed(SUITE, "frozenset({Capability.SHELL})", "{'shell'}", ID, ".*needs must be a frozenset of Capab"),
    "prepare": changed(SUITE, "@asynccontextmanager\n", "", ID, ".*put @asynccontextmanager above it"),
    "metric": changed(SUITE, METRIC, '"latency"', ID, "benchmark 'mine/first_output': a record cannot hold it"),
    "limitations": changed(SUITE, '"Not how long the connection takes."', "7", ID, ".*a record cannot hold it"),
    "instance": changed(
        TERMINAL, "(OursAsTtyd,)", "(OursAsTtyd(),)", "TERMINALS", "TERMINALS has a OursAsTtyd in it; it takes classes"
    ),
    "abstract": changed(TERMINAL, "def version", "def wersion", 'name = "', "terminal OursAsTtyd: it lacks version"),
    "terminal name": changed(TERMINAL, "ours-as-ttyd", "ttyd", 'name = "', "there is a terminal 'ttyd' already"),
    "behaviour name": changed(LOAD, '"look"', '"flood"', 'name="', "there is a behaviour 'flood' already"),
    "every": changed(LOAD, "every=2", "every=0", LOOK, "behaviour 'look': every = 0; it must be a number of seconds"),
    "lambda": changed(
        LOAD, "prepare=look", "prepare=lambda user: look(user)", LOOK, ".*prepare must be a function of the module"
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", BROKEN)
def test_what_cannot_be_used_is_one_line_with_file_line_and_remedy(tmp_path, why):
    text, words = BROKEN[why]
    path = tmp_path / "x.py"
    path.write_text(text)
    with pytest.raises(ExtensionError, match=words) as caught:
        load_extensions([path])
    assert "\n" not in str(caught.value)
    assert not any(each.path == str(path) for each in extension_modules._loaded.values()) or why not in (
        "import",
        "raises",
    )


def test_the_command_ends_with_2_and_measures_nothing(tmp_path):
    (tmp_path / "x.py").write_text("BENCHMARKS = 7\n")
    for words in (
        ("bench", "--extension", "x.py"),
        ("bench", "--list", "--extension", "x.py"),
        ("load", "--extension", "x.py"),
    ):
        ran = asked(*words, cwd=tmp_path)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr == (
            f"web-terminal {words[0]}: x.py:1: BENCHMARKS is 7 of type int; make it a tuple of Benchmark objects\n"
        )
    (tmp_path / "x.py").write_text("raise SystemExit(0)\n")
    left = asked("bench", "--list", "--extension", "x.py", cwd=tmp_path)
    assert (left.returncode, left.stdout) == (2, "")
    assert "/x.py:1: SystemExit: 0; mend it, or leave --extension out" in left.stderr
    missing = asked("bench", "--extension", "nowhere.py", cwd=tmp_path)
    assert missing.returncode == 2
    assert (
        missing.stderr
        == "web-terminal bench: nowhere.py: No such file or directory; name a Python file with --extension\n"
    )
    role = asked("load", "--mix", "look=3", cwd=tmp_path)
    assert role.returncode == 2
    assert "there is no role 'look'; roles are: type, steady," in role.stderr


def test_two_files_cannot_declare_the_same(here):
    (here / "other.py").write_text(SUITE)
    with pytest.raises(ExtensionError, match=r"other.py:\d+: there is a benchmark .* already, of .*my_suite.py"):
        load_extensions([here / "my_suite.py", here / "other.py"])
    files = ("my_suite.py", "my_load.py", "my_terminal.py")
    assert load_extensions([here / file for file in files]).names == files


def test_from_python(here):
    options = BenchOptions(extensions=(here / "my_suite.py",), filters=("mine",), quick=True)
    planned = plan(options)
    assert [cell.parameter for cell in planned.cells if cell.benchmark == "mine/first_output"] == [""]
    (here / "my_suite.py").write_text("")
    with pytest.raises(OptionsError, match="declares nothing"):
        plan(options)


def test_a_pickle_carries_the_file_to_a_process_that_has_none(here):
    (behaviour,) = load_extensions([here / "my_load.py"]).behaviours
    data = extension_modules.dumps(behaviour)
    (here / "my_load.py").unlink()
    code = (
        "import sys; from web_terminal_suite.bench import extension_modules as m; "
        "print(m.loads(sys.stdin.buffer.read()).name)"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, timeout=60, cwd="/")
    assert ran.stdout == b"look\n", ran.stderr


def test_names_of_the_suite_select_among_those_of_a_file(here):
    found = load_extensions([here / "my_suite.py"])
    assert [name(*each) for each in select(found.benchmarks, ("mine", "first"))] == ["mine/first_output"]
