"""``bench --against``: how both stages are judged, what names a base, and one real run of a server with itself."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.bench.records import MS, OURS, PEER, facts, run, samples, trial
from web_terminal_suite.bench import pipeline, record
from web_terminal_suite.bench.analysis.comparison.judging import status
from web_terminal_suite.bench.analysis.comparison.results import ComparisonStatus, Terms
from web_terminal_suite.bench.analysis.comparison.stages import Stages, compare_stages, stages_of, standing_out
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.pipeline.against import _block
from web_terminal_suite.bench.pipeline.revisions import find_revision
from web_terminal_suite.bench.samples import Metric, Point
from web_terminal_suite.bench.stats.ratios import ChangeVerdict
from web_terminal_suite.bench.stats.staged_power import Stage, noticeable
from web_terminal_suite.bench.terminals.installation import current, inspect
from web_terminal_suite.cli.application import application

if TYPE_CHECKING:
    from web_terminal_suite.bench.samples import Run, Trial

BLOCKS = 10
STAGES = Stages(base=OURS.name, head=PEER.name, confirmed_from=BLOCKS, revision="main (98e554a1c2d3)")


def blocks_of(name: str, numbers: range, scale: float, rng: np.random.Generator, spread: float = 0.05) -> list[Trial]:
    """Blocks of both sides, of which the head takes ``scale`` times as long."""
    return [
        trial(
            samples((rng.lognormal(0, 0.1, 40) * MS * factor * rng.lognormal(0, spread)).astype(int).tolist()),
            benchmark=name,
            terminal=terminal.name,
            block=number,
        )
        for number in numbers
        for terminal, factor in ((OURS, 1.0), (PEER, scale))
    ]


def staged(*trials: Trial, names: tuple[str, ...] = ("suite/a", "suite/b")) -> Run:
    found = run(*trials, benchmarks=[facts(id=name) for name in names], terminals=(OURS, PEER), seed=1)
    return msgspec.structs.replace(found, options={"against": msgspec.to_builtins(STAGES)})


def told(of: Run) -> dict[tuple[str, str], ChangeVerdict]:
    (compared,) = pipeline.compare(("a", of))
    return {(row.new.benchmark, row.statistic): row.change for row in compared.rows if row.unit == "ns"}


def test_only_the_second_measurement_makes_a_verdict():
    rng = np.random.default_rng(1)
    first = [*blocks_of("suite/a", range(BLOCKS), 1.5, rng), *blocks_of("suite/b", range(BLOCKS), 1.0, rng)]
    again = range(BLOCKS, BLOCKS + 20)
    assert ChangeVerdict.SLOWER not in told(staged(*first)).values()
    confirmed = told(staged(*first, *blocks_of("suite/a", again, 1.5, rng)))
    assert confirmed["suite/a", "p50"] is ChangeVerdict.SLOWER
    assert confirmed["suite/a", "p95"] is ChangeVerdict.SLOWER
    assert confirmed["suite/b", "p50"] is not ChangeVerdict.SLOWER
    withdrawn = told(staged(*first, *blocks_of("suite/a", again, 1.0, rng)))
    assert withdrawn["suite/a", "p50"] not in (ChangeVerdict.SLOWER, ChangeVerdict.FASTER)


def test_what_stands_out_is_measured_again_the_slower_first():
    rng = np.random.default_rng(2)
    names = ("suite/a", "suite/b", "suite/c")
    scales = {"suite/a": 0.5, "suite/b": 1.0, "suite/c": 1.4}
    trials = [each for name in names for each in blocks_of(name, range(BLOCKS), scales[name], rng, 0.01)]
    found = standing_out(trials, staged(*trials, names=names), STAGES, Terms())
    assert [cell.benchmark for cell in found] == ["suite/c", "suite/a"]


def test_a_cell_with_too_few_blocks_is_undecided():
    rng = np.random.default_rng(3)
    trials = [*blocks_of("suite/a", range(1), 3.0, rng), *blocks_of("suite/b", range(BLOCKS), 1.0, rng)]
    (compared,) = pipeline.compare(("a", staged(*trials)))
    rows = [row for row in compared.rows if row.new.benchmark == "suite/a" and row.unit == "ns"]
    assert {row.change for row in rows} == {ChangeVerdict.UNDECIDED}
    assert not any(row.is_told for row in rows)
    assert standing_out(trials, staged(*trials), STAGES, Terms()) == []


def test_every_row_of_a_ratio_says_what_it_would_have_noticed():
    rng = np.random.default_rng(4)
    (compared,) = pipeline.compare(("a", staged(*blocks_of("suite/a", range(BLOCKS), 1.0, rng))))
    smallest = [row.noticeable for row in compared.rows if row.metric == "latency"]
    assert all(each is not None and 1.05 < each < 1.5 for each in smallest)


def test_the_same_code_is_hardly_ever_slower_and_a_change_of_the_size_that_is_printed_is_found():
    rng = np.random.default_rng(5)
    names = tuple(f"suite/{number}" for number in range(3))

    def slower(scale: float) -> bool:
        first = [each for name in names for each in blocks_of(name, range(BLOCKS), 1.0, rng, 0.1)]
        first += blocks_of("suite/changed", range(BLOCKS), scale, rng, 0.1)
        so_far = staged(*first, names=(*names, "suite/changed"))
        again = [
            each
            for cell in standing_out(first, so_far, STAGES, Terms())
            for each in blocks_of(
                cell.benchmark, range(BLOCKS, BLOCKS + 20), scale if "changed" in cell.benchmark else 1.0, rng, 0.1
            )
        ]
        whole = staged(*first, *again, names=(*names, "suite/changed"))
        (compared,) = pipeline.compare(("a", whole))
        return status((compared,)) is ComparisonStatus.SLOWER

    assert sum(slower(1.0) for _ in range(10)) <= 1
    assert sum(slower(1.4) for _ in range(10)) >= 8


def test_noticeable_is_where_the_power_is_80_percent():
    stages = (Stage(0.05, 9, 1.383), Stage(0.035, 19, 2.093))
    smallest = noticeable(stages, 0.05)
    assert smallest is not None
    rng = np.random.default_rng(6)
    found = np.ones(20_000, bool)
    for stage in stages:
        normal = rng.standard_normal(found.size)
        errors = stage.error * np.sqrt(rng.chisquare(stage.freedom, found.size) / stage.freedom)
        logs = np.log(smallest) + stage.error * normal
        found &= (logs - np.log1p(0.05)) / errors > stage.quantile
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_a_fault_of_the_head_fails_the_run_and_one_of_the_base_does_not():
    rng = np.random.default_rng(7)
    trials = blocks_of("suite/a", range(BLOCKS), 1.0, rng)
    for terminal, expected in ((PEER, 4), (OURS, 0)):
        spoilt = trial(benchmark="suite/b", terminal=terminal.name, problem="the server ended with 1")
        (compared,) = pipeline.compare(("a", staged(*trials, spoilt)))
        assert (status((compared,)).exit_code == 4) is (expected == 4)


def test_each_side_comes_first_in_one_of_two_blocks_in_a_row():
    planned = pipeline.plan(pipeline.BenchOptions(filters=("execute_echo_simple", "round_trip"), seed=1))
    found = {slot.benchmark.id: slot.benchmark for slot in planned.together[0] if not slot.benchmark.is_floor}
    cells = [(benchmark, "") for benchmark in found.values()]
    order = [[slot.cell for slot in _block(planned, STAGES, cells, number)[0]] for number in range(8)]
    for benchmark, _ in cells:
        firsts = [next(cell.terminal for cell in block if cell.benchmark == benchmark.id) for block in order]
        assert all(one != other for one, other in zip(firsts[::2], firsts[1::2], strict=True))


def test_records_of_other_runs_have_no_stages():
    assert stages_of(run()) is None
    assert stages_of(msgspec.structs.replace(run(), options={"against": "main"})) is None


# What names a base.


def test_a_record_gives_its_verdict_again_on_the_terms_that_it_was_made_with(tmp_path: Path):
    rng = np.random.default_rng(8)
    trials = [each for numbers in (range(BLOCKS), range(BLOCKS, BLOCKS + 20))
              for each in blocks_of("suite/a", numbers, 1.15, rng, 0.01)]  # fmt: skip
    found = staged(*trials)
    terms = Terms(noise=0.5, significance=0.01, level=0.9, statistics=("p50",))
    kept = msgspec.structs.replace(
        found, options={"against": msgspec.to_builtins(msgspec.structs.replace(STAGES, terms=terms))}
    )
    for of, expected in ((found, 1), (kept, 0)):
        file = tmp_path / "run.json"
        pipeline.save_record(file, of, pipeline.analyse(of))
        (compared,) = pipeline.compare(("a", record.load(file)))
        assert status((compared,)).exit_code == expected
        assert asked("compare", file).exit_code == expected
        assert asked("validate", file).exit_code == expected
    assert (compared.noise, compared.significance, compared.level) == (0.5, 0.01, 0.9)
    assert {row.statistic for row in compared.rows} == {"p50"}
    # What is asked for counts, and what is not stays as it was.
    said = asked("compare", file, "--noise-threshold", "0.05")
    assert said.exit_code == 1
    assert "beyond 5 % at significance 0.01" in said.stdout
    assert asked("compare", file, "--noise-threshold", "0.05", "--statistic", "p95").exit_code == 1


def git(*words: str, cwd: Path) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(("git", *identity, *words), cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, which cannot be built."""
    place = tmp_path / "checkout"
    place.mkdir()
    git("init", "-q", "-b", "main", ".", cwd=place)
    (place / "README").write_text("nothing to build\n")
    git("add", ".", cwd=place)
    git("commit", "-q", "-m", "one", cwd=place)
    monkeypatch.chdir(place)
    return place


def refused(text: str, home: Path) -> str:
    with pytest.raises(OptionsError) as caught:
        find_revision(text, home, lambda _: None)
    return str(caught.value)


def test_no_such_revision(checkout: Path, tmp_path: Path):
    assert refused("no-such-branch", tmp_path) == (
        "--against no-such-branch: no such git revision, environment, wheel or URL"
    )
    assert "no such git revision" in refused("--upload-pack=x", tmp_path)


def test_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "is not a git checkout" in refused("main", tmp_path)


def test_a_commit_that_is_no_project(checkout: Path, tmp_path: Path):
    assert "has no pyproject.toml" in refused("main", tmp_path / "home")


def test_a_build_that_fails_shows_the_end_of_its_log(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    (checkout / "pyproject.toml").write_text("[project]\nname = 7\n")
    git("add", ".", cwd=checkout)
    git("commit", "-q", "-m", "two", cwd=checkout)
    text = refused("main", tmp_path / "home")
    assert "it cannot be built; the log is " in text
    assert len(text.splitlines()) > 2
    assert Path(text.split("the log is ")[1].split(", and")[0]).exists()


def test_a_wheel_that_is_not_there(tmp_path: Path):
    assert "no such file" in refused(str(tmp_path / "none.whl"), tmp_path)


def test_an_environment_without_a_web_terminal(tmp_path: Path):
    (tmp_path / "pyvenv.cfg").touch()
    assert "there is no " in refused(str(tmp_path), tmp_path)


def test_this_environment_is_the_one_that_runs():
    here = current()
    assert here is not None
    assert here.version == inspect(Path(sys.prefix)).version
    assert {"--host", "--port", "--config", "--max-sessions"} <= here.options
    assert here.differences(here) == []
    other = msgspec.structs.replace(here, is_compiled=not here.is_compiled, python="CPython 3.0")
    assert len(here.differences(other)) == 2


# The command.


def asked(*words: object) -> Result:
    return CliRunner().invoke(application, [str(word) for word in words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--baseline", "main"), "--baseline"),
        (("--terminal", "ttyd"), "--terminal"),
        (("--quick",), "--quick"),
        (("pty_spawn_time",), "measured in this process"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...], said: str, tmp_path: Path):
    result = asked("bench", "--against", sys.prefix, "--home", tmp_path, *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr


def test_a_server_with_itself(tmp_path: Path):
    options = pipeline.BenchOptions(filters=("execute_echo_simple",), blocks=5, seed=3)
    planned = pipeline.plan_against(options, sys.prefix, tmp_path)
    # That the known delays are found is not what is tested, and needs a quiet machine.
    planned = without_proof(planned)
    file = tmp_path / "run.json"
    terms = Terms(noise=0.2)
    found = pipeline.run_against(planned, terms=terms, record=file)
    pipeline.save_record(file, found, pipeline.analyse(found))
    assert {trial.cell.terminal for trial in found.trials} == {"web-terminal", "web-terminal (base)"}
    assert {trial.block for trial in found.trials} >= set(range(5))
    assert not any(trial.problem for trial in found.trials)
    (compared,) = pipeline.compare(("a", record.load(file)))
    assert compared == compare_stages(found, planned.stages, terms)
    said = asked("compare", file)
    assert said.exit_code == status((compared,)).exit_code
    assert f"web-terminal compared with {sys.prefix}" in said.stdout


def without_proof(planned: pipeline.RevisionPlan) -> pipeline.RevisionPlan:
    return replace(planned, plan=replace(planned.plan, proof=()))


def test_a_metric_that_only_the_base_has_leaves_the_comparison_undecided():
    rng = np.random.default_rng(6)
    trials = blocks_of("suite/a", range(BLOCKS), 1.0, rng, 0.01)
    trials += [
        msgspec.structs.replace(each, points=(Point("CPU", 0, 1.0 + rng.normal(0, 0.001)),))
        for each in blocks_of("suite/b", range(BLOCKS), 1.0, rng, 0.01)
    ]
    metrics = (Metric(name="latency"), Metric(name="CPU", kind="level", unit="ns"))
    benchmarks = [facts(id="suite/a"), facts(*metrics, id="suite/b")]
    whole = msgspec.structs.replace(
        run(*trials, benchmarks=benchmarks, terminals=(OURS, PEER), seed=1),
        options={"against": msgspec.to_builtins(STAGES)},
    )
    bare = tuple(
        msgspec.structs.replace(each, points=()) if each.cell.terminal == PEER.name else each for each in whole.trials
    )
    (kept,) = pipeline.compare(("a", whole))
    (lost,) = pipeline.compare(("a", msgspec.structs.replace(whole, trials=bare)))
    assert status((kept,)) is ComparisonStatus.NO_LOSS
    assert status((lost,)) is ComparisonStatus.UNDECIDED
    assert any("metrics only in" in each and "CPU" in each for each in lost.remarks)
