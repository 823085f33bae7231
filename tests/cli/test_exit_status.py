"""Whatever ends a command ends it with one line and a status that means only that."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.bench.records import MS, run, samples, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.report.export import json as report_json
from web_terminal_suite.cli.application import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = "\x1b[2J\x1b]0;pwned\x07\x9b31m‮evil⁦"

_WITHOUT_NUMPY = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numpy", "scipy", "psutil"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from web_terminal_suite.cli.main import main
main()
"""
_WITHOUT_SCIPY = _WITHOUT_NUMPY.replace('("numpy", "scipy", "psutil")', '("scipy",)')
_BROKEN = """
from web_terminal_suite.bench import record
def read(path):
    raise ZeroDivisionError("nobody foresaw this")
record.read = read
from web_terminal_suite.cli.main import main
main()
"""


def command(*words: object, program: tuple[str, ...] = ("-m", "web_terminal_suite"), **more):
    return subprocess.run(
        [sys.executable, *program, *map(str, words)], capture_output="stdout" not in more, timeout=60, text=True, **more
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    of = run(trial(samples([MS] * 100), warnings=(HOSTILE,)))
    report_json.write(path, of, analyse(of))
    return path


def lines(of: subprocess.CompletedProcess[str]) -> list[str]:
    return of.stderr.splitlines()


@pytest.mark.parametrize("words",
    [("validate",), ("bench", "--list"), ("bench", "--help"), ("export", "-f", "csv"), ("export", "-f", "json"),
     ("compare", "--force", "--json"), ("doctor", "--json")],
)  # fmt: skip
def test_a_reader_that_goes_away_is_a_closed_pipe(saved: Path, words: tuple[str, ...]) -> None:
    files = {"validate": [saved], "export": [saved], "compare": [saved, saved]}.get(words[0], [])
    with subprocess.Popen(
        [sys.executable, "-m", "web_terminal_suite", *words, *map(str, files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
    assert (process.returncode, said) == (141, "")


@pytest.mark.parametrize("words", [("validate",), ("bench", "--list"), ("--help",)])
def test_a_full_disk_behind_standard_output_is_said_in_a_line(saved: Path, words: tuple[str, ...]) -> None:
    files = [saved] if words == ("validate",) else []
    with open("/dev/full", "w") as full:
        done = command(*words, *files, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    (line,) = lines(done)
    assert line.endswith("cannot write standard output: No space left on device")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_characters_costs_only_them(saved: Path, encoding: str) -> None:
    done = command("validate", saved, env={"PYTHONIOENCODING": encoding, "PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "exit 0 (all pass)" in done.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_wrong_usage_is_one_line_of_the_same_wording(name: str) -> None:
    done = command(name, "--no-such-option")
    assert done.returncode == 2
    (line,) = lines(done)
    assert line.startswith(f"web-terminal {name}: no such option '--no-such-option'")


@pytest.mark.parametrize("name", ["bench", "load", "history", "validate", "compare", "report", "export"])
def test_a_missing_extra_is_one_line_of_the_same_wording(name: str, saved: Path) -> None:
    words = {"export": ("--format", "csv", saved), "validate": (saved,), "compare": (saved, saved)}.get(name, ())
    if name in ("report", "history"):
        words = ("--home", saved.parent)
        (saved.parent / "baselines").mkdir()
        (saved.parent / "baselines" / "base.json").write_bytes(saved.read_bytes())
    done = command(name, *words, program=("-c", _WITHOUT_NUMPY), cwd=saved.parent)
    assert done.returncode == 2, done
    (line,) = lines(done)
    assert line.startswith(f"web-terminal {name}: needs ")
    assert line.endswith("; pip install 'web-terminal-suite[bench]'")


@pytest.mark.parametrize(
    "words",
    [
        ("bench", "execute_echo_simple"),
        ("bench", "execute_echo_simple", "--against", sys.prefix),
        ("load", "--sessions", "1", "--duration", "1"),
    ],
)
def test_a_missing_scipy_is_told_before_anything_is_measured(words: tuple[str, ...], tmp_path: Path) -> None:
    done = command(*words, "--json", "run.json", "--home", "home", program=("-c", _WITHOUT_SCIPY), cwd=tmp_path)
    assert done.returncode == 2, done
    (line,) = lines(done)
    assert line == f"web-terminal {words[0]}: needs scipy; pip install 'web-terminal-suite[bench]'"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["afile", "afile/below"])
def test_a_place_for_profiles_that_is_no_directory_is_told_before_anything_is_measured(
    place: str, tmp_path: Path
) -> None:
    (tmp_path / "afile").touch()
    done = command("bench", "execute_echo_simple", "--profile", place, "--home", "home", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = lines(done)
    assert line.startswith(f"web-terminal bench: --profile {place}: ")


def test_what_nobody_foresaw_ends_with_4_and_says_how_to_see_more(saved: Path) -> None:
    done = command("validate", saved, program=("-c", _BROKEN))
    assert done.returncode == 4
    (line,) = lines(done)
    assert line.startswith("web-terminal validate: unforeseen error: ZeroDivisionError: nobody foresaw this; ")
    traced = command("validate", saved, program=("-c", _BROKEN), env={"WEB_TERMINAL_DEBUG": "1"})
    assert traced.returncode == 4
    assert "Traceback" in traced.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda it: it["trials"][0]["seen"].__setitem__(3, 10**30), "that no clock counts to"),
        (lambda it: it["trials"][0]["seen"].__setitem__(3, -5), "has a negative time in seen: -5 ns"),
        (lambda it: it["trials"].append(it["trials"][0]), "has block 0 twice"),
    ],
)
@pytest.mark.parametrize("name", ["validate", "export", "report"])
def test_samples_that_no_run_can_have_measured_are_refused(
    saved: Path, name: str, change: Callable[[dict], None], words: str
) -> None:
    document = json.loads(saved.read_text())
    change(document)
    saved.write_text(json.dumps(document))
    done = command(name, saved, *(("-f", "csv") if name == "export" else ()), cwd=saved.parent)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = lines(done)
    assert line.startswith(f"web-terminal {name}: {saved}: corrupt: ")
    assert words in line


def test_no_control_of_others_reaches_the_output(saved: Path) -> None:
    done = command("validate", saved)
    assert "evil" in done.stdout
    assert not set("\x1b\x07\x9b‮⁦") & set(done.stdout)


def test_json_has_the_controls_of_others_as_escape_sequences(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / f"{HOSTILE.replace('/', '')}.json"
    other.write_bytes(saved.read_bytes())
    done = command("compare", saved, other, "--force", "--json")
    assert not set("\x1b\x07\x9b\u202e\u2066") & set(done.stdout)
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["comparisons"][0]["new"] == str(other)


def test_a_byte_order_mark_is_no_reason_to_refuse_a_record(saved: Path) -> None:
    saved.write_bytes(b"\xef\xbb\xbf" + saved.read_bytes())
    assert command("validate", saved).returncode == 0


def test_the_level_of_a_record_is_that_of_its_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    # 100 operations bound a p95 at 95 %, not at 99.99 %.
    of = msgspec.structs.replace(run(trial(samples([MS] * 100))), options={"confidence_level": 0.9999})
    report_json.write(path, of, analyse(of, 0.9999))
    done = command("validate", path)
    assert done.returncode == 3
    assert "99.99 % intervals" in done.stdout
    assert "the file says" not in done.stdout
    assert "<skipped" in command("export", path, "-f", "junit").stdout
    assert "99.99 %" in command("report", path, "-f", "markdown", "-o", "/dev/stdout").stdout


def test_what_a_killed_run_left_is_moved_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from web_terminal_suite.bench.errors import OptionsError
    from web_terminal_suite.cli import keeping

    left = tmp_path / "run.json.trials"
    with record.Recorder(left, run()), pytest.raises(OptionsError, match="another run writes"):
        keeping._check_record("bench", tmp_path / "run.json")
    keeping._check_record("bench", tmp_path / "run.json")
    assert not left.exists()
    assert "what it measured is now" in capsys.readouterr().err
    assert record.load(tmp_path / "run.json.trials.1").interrupted


def test_code_of_others_that_ends_the_program_is_a_failed_run() -> None:
    from web_terminal_suite.cli.exit_status import Failure, _explained
    from web_terminal_suite.cli.streams import ReaderGone

    words = r"/test_exit_status.py:\d+: SystemExit: 0; an extension must not end the program"
    with pytest.raises(Failure, match=words) as caught, _explained("bench"):
        raise SystemExit(0)
    assert caught.value.status == 4
    for command_, error in (("serve", SystemExit(0)), ("bench", ReaderGone(141))):
        with pytest.raises(type(error)) as passed, _explained(command_):
            raise error
        assert passed.value is error
