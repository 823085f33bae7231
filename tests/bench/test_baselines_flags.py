"""What ``web-terminal bench`` does with baselines, history and self-check; nothing is measured here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner, Result

from tests.bench.comparisons import MACHINE, measured
from tests.bench.records import OURS, PEER
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.baselines import Baselines, choose
from web_terminal_suite.bench.errors import BenchError, OptionsError, StorageError
from web_terminal_suite.bench.history import FILE, History
from web_terminal_suite.bench.pipeline import (
    BenchOptions,
    StorageOptions,
    Terms,
    find_base,
    keep,
    open_run,
    save_record,
    self_check,
)
from web_terminal_suite.bench.pipeline.bench import doubled
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.cli import verdict
from web_terminal_suite.cli.bench import bench, numbered
from web_terminal_suite.cli.keeping import record_file
from web_terminal_suite.cli.parameters import terms

if TYPE_CHECKING:
    from pathlib import Path


def storage(
    home: Path, *, force: bool = False, history: bool = True, complete: bool = True, **flags: object
) -> StorageOptions:
    """The options that flags for baselines amount to."""
    choice = choose(**flags)  # type: ignore[arg-type]
    return StorageOptions(
        home=home, choice=choice, terms=Terms(resamples=200), force=force, history=history, complete=complete
    )


def ended(found: verdict.Ending | None) -> int:
    assert found is not None
    return found.status


def asked(*words: object) -> Result:
    return CliRunner().invoke(bench, [str(word) for word in words])


def test_two_saved_runs_are_compared_without_measuring(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    kept.save("old", measured(), [])
    kept.save("new", measured(60.0, seed=2), [])
    words = ("--baseline", "old", "--load-baseline", "new", "--home", tmp_path)
    result = asked(*words)
    assert result.exit_code == 1, result.output
    assert "new compared with old" in result.stdout
    assert "4 slower" in result.stdout
    assert asked(*words, "--noise-threshold", 1000).exit_code == 0
    assert kept.names() == ("new", "old")
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    ("new", "noise", "code", "meaning"),
    [
        ("slow", 0.05, 1, "something is slower"),
        ("slow", 1000, 0, "all pass; nothing is slower, and every row could be told"),
        ("cut", 0.05, 4, "the run itself failed; a run is no whole one, so nothing is clear of loss"),
        ("same", 0.05, 3, "undecided"),
    ],
)
def test_the_only_exit_code_that_is_printed_is_that_of_the_command(
    new: str, noise: float, code: int, meaning: str, tmp_path: Path
) -> None:
    kept = Baselines(tmp_path)
    kept.save("old", measured(), [])
    kept.save("slow", measured(60.0, seed=2), [])
    kept.save("same", measured(seed=3), [])
    cut = msgspec.structs.replace(measured(seed=4), interrupted=True)
    save_record(tmp_path / "baselines" / "cut.json", cut, analyse(cut))
    said = asked("--baseline", "old", "--load-baseline", new, "--home", tmp_path, "--noise-threshold", noise)
    assert said.exit_code == code, said.output
    assert re.findall(r"exit (\d+)", said.stdout) == [str(code)]
    assert said.stdout.splitlines()[-1] == f"exit {code} ({meaning})"


def test_a_report_without_a_comparison_states_the_exit_code_itself(tmp_path: Path) -> None:
    kept = Baselines(tmp_path)
    kept.save("new", measured(), [])
    said = asked("--load-baseline", "new", "--baseline-lenient", "nope", "--home", tmp_path)
    assert re.findall(r"exit (\d+)", said.stdout) == [str(said.exit_code)]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--baseline", "nope"), "there is no baseline 'nope'"),
        (("--retain-baseline",), "there is no baseline 'base'"),
        (("--save-baseline", "a", "--discard-baseline"), "exclude each other"),
        (("--load-baseline", "a"), "add --baseline NAME"),
        (("--save-baseline", "a b"), "is no name for a baseline"),
        (("--self-check", "--baseline", "a"), "takes no baseline"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(
    tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    result = asked("execute_echo_simple", "--home", tmp_path, *words)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_kept_as_the_last_and_in_the_history(tmp_path: Path) -> None:
    for of in (measured(), measured(seed=2)):
        keep(of, analyse(of), storage(tmp_path))
    assert Baselines(tmp_path).load("base").seed == 2
    with History(tmp_path / FILE) as history:
        assert [len(track.entries) for track in history.tracks(statistics=("p95",))] == [2, 2]


def test_an_interrupted_run_does_not_replace_a_baseline(tmp_path: Path) -> None:
    cut = msgspec.structs.replace(measured(), interrupted=True)
    keep(cut, analyse(cut), storage(tmp_path))
    assert Baselines(tmp_path).names() == ()
    assert (tmp_path / FILE).exists()


def test_a_run_that_failed_does_not_replace_a_baseline(tmp_path: Path) -> None:
    keep(measured(), analyse(measured()), storage(tmp_path, save="main"))
    planned = (Cell("suite/a", "", "ours"), Cell("suite/c", "", "ours"))
    lost = msgspec.structs.replace(measured(seed=2), planned=planned)
    spoilt = msgspec.structs.replace(
        measured(seed=3), trials=(msgspec.structs.replace(measured().trials[0], problem="the server ended with 9"),)
    )
    for failed, why in ((lost, "suite/c [ours] planned but not measured"), (spoilt, "the server ended with 9")):
        (told,) = keep(failed, analyse(failed), storage(tmp_path, save="main"))
        assert told.startswith("the run failed, so it is not saved as baseline 'main'; what was saved before stays: ")
        assert why in told
        assert Baselines(tmp_path).load("main").seed == 1
        with pytest.raises(StorageError, match="a run that failed is not saved as baseline 'main'"):
            Baselines(tmp_path).save("main", failed, [])


def test_a_narrow_run_does_not_replace_the_full_one(tmp_path: Path) -> None:
    full, part = measured(), measured(seed=2, names=("suite/a",), started="2026-01-02T00:00:00Z")
    keep(full, analyse(full), storage(tmp_path))
    (told,) = keep(part, analyse(part), storage(tmp_path))
    assert told == (
        "this run has 1 of the 2 cells of the last one, so it is kept as 'narrow' and does not replace 'base'"
    )
    kept = Baselines(tmp_path)
    assert (kept.load("base").seed, kept.load("narrow").seed) == (1, 2)
    assert open_run("", tmp_path).seed == 2
    assert keep(measured(seed=3), analyse(measured(seed=3)), storage(tmp_path)) == ()
    assert kept.load("base").seed == 3
    quick = msgspec.structs.replace(measured(seed=4), options={"quick": True})
    slow = msgspec.structs.replace(measured(seed=5), options={"quick": False})
    assert keep(slow, analyse(slow), storage(tmp_path)) == ()
    (told,) = keep(quick, analyse(quick), storage(tmp_path))
    assert told.startswith("this run is a quick one and the last one was not")


def test_a_narrow_run_replaces_what_is_of_another_machine(tmp_path: Path) -> None:
    Baselines(tmp_path).save("base", measured(kernel="other"), [])
    part = measured(seed=2, names=("suite/a",))
    assert keep(part, analyse(part), storage(tmp_path)) == ()
    assert Baselines(tmp_path).load("base").seed == 2


def test_nothing_is_kept_that_was_not_asked_for(tmp_path: Path) -> None:
    keep(measured(), analyse(measured()), storage(tmp_path, discard=True, history=False))
    assert list(tmp_path.iterdir()) == []


def test_a_history_that_cannot_be_written_says_how_to_do_without(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database, " * 100)
    with pytest.raises(StorageError, match=r"is corrupt or no history: .*; --no-history does without"):
        keep(measured(), analyse(measured()), storage(tmp_path))
    assert Baselines(tmp_path).names() == ("base",)


def test_only_what_was_asked_for_changes_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, worse = measured(), measured(90.0, seed=2)
    assert ended(verdict.print_comparison(base, worse, storage(tmp_path, baseline="base"))) == 1
    assert ended(verdict.print_comparison(base, worse, storage(tmp_path, save="mine"))) == 1
    assert ended(verdict.print_comparison(base, base, storage(tmp_path, lenient="mine"))) == 3
    cut = msgspec.structs.replace(base, interrupted=True)
    assert ended(verdict.print_comparison(cut, base, storage(tmp_path, baseline="mine"))) == 4
    capsys.readouterr()
    assert verdict.print_comparison(base, worse, storage(tmp_path)) is None
    assert "--baseline NAME asks for it" in capsys.readouterr().out


def test_what_filters_left_out_is_not_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, part = measured(), measured(names=("suite/a",))
    verdict.print_comparison(base, part, storage(tmp_path, complete=False))
    assert "only in" not in capsys.readouterr().out
    verdict.print_comparison(base, part, storage(tmp_path))
    assert "only in base: suite/b [ours]" in capsys.readouterr().out


def test_of_much_that_is_gone_a_few_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, part = measured(names=[f"suite/{each}" for each in "abcdef"]), measured(names=("suite/a",))
    verdict.print_comparison(base, part, storage(tmp_path))
    words = " ".join(capsys.readouterr().out.split())
    assert "only in base: suite/b [ours], suite/c [ours], suite/d [ours] and 2 more" in words


def test_a_baseline_of_another_machine(tmp_path: Path) -> None:
    for name in ("base", "mine"):
        Baselines(tmp_path).save(name, measured(kernel="other"), [])
    with pytest.raises(BenchError, match=r"'mine' is of another machine: kernel was other, is 6.1.0; --force"):
        find_base(storage(tmp_path, baseline="mine"), MACHINE)
    for flags, then in (({"save": "mine"}, "; this run replaces it; --force"), ({"lenient": "mine"}, "it; --force")):
        replaced = find_base(storage(tmp_path, **flags), MACHINE)
        assert replaced.run is None
        assert "so nothing is compared with it" in replaced.reason
        assert then in replaced.reason
    assert find_base(storage(tmp_path, baseline="mine", force=True), MACHINE).run is not None
    unused = find_base(storage(tmp_path), MACHINE)
    assert unused.run is None
    assert "nothing is compared with it" in unused.reason
    assert find_base(storage(tmp_path, lenient="absent"), MACHINE).run is None


def test_the_last_run_may_be_unreadable_a_named_one_not(tmp_path: Path) -> None:
    for name in ("base", "mine"):
        Baselines(tmp_path).save(name, measured(), []).write_text("{")
    assert find_base(storage(tmp_path), MACHINE).run is None
    with pytest.raises(BenchError, match="save it anew"):
        find_base(storage(tmp_path, baseline="mine"), MACHINE)


def test_terms_that_are_out_of_range_are_refused() -> None:
    with pytest.raises(OptionsError, match="is negative"):
        terms(noise=-1.0)


def test_a_self_check_measures_one_terminal_as_two() -> None:
    first, again, floor = doubled((WebTerminal(), NullServer()))
    assert (first.name, again.name, floor.name) == ("web-terminal", "web-terminal (again)", NullServer.name)
    assert again.facts().name == again.name
    assert WebTerminal.name == "web-terminal"
    with pytest.raises(BenchError, match="needs a terminal that is judged"):
        doubled((NullServer(),))


@pytest.mark.parametrize(
    ("peer", "code", "words"), [(2.0, 1, "it is above the 5 %"), (1.0, 3, "not yet distinguishable from")]
)
def test_a_self_check_ends_with_its_claim(
    peer: float, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of = measured(terminals=(OURS, PEER), peer=peer)
    assert ended(verdict.print_self_check(self_check(of, storage(tmp_path).terms))) == code
    out = capsys.readouterr().out
    assert words in out.replace("5%", "5 %")
    assert f"{'4' if peer > 1 else '0'} false alarms in 4 rows" in out


def test_each_of_several_runs_has_a_record_and_a_seed_of_its_own(tmp_path: Path) -> None:
    names = [record_file(tmp_path / "run.json", number) for number in range(3)]
    assert [path.name for path in names if path] == ["run.json", "run-2.json", "run-3.json"]
    assert record_file(None, 1) is None
    assert [numbered(BenchOptions(seed=7), number).seed for number in range(3)] == [7, 8, 9]
    assert numbered(BenchOptions(), 1).seed is None


def test_several_runs_are_one_side_and_saved_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [measured(seed=seed) for seed in (1, 2, 3)]
    for number, of in enumerate(runs):
        keep(of, analyse(of), storage(tmp_path, save="mine"), together=number > 0)
    assert len(Baselines(tmp_path).load_set("mine")) == 3
    verdict.print_comparison(Baselines(tmp_path).load_set("mine"), runs[:2], storage(tmp_path, baseline="mine"))
    assert "this run (2 runs) compared with mine (3 runs)" in capsys.readouterr().out


def test_the_worst_of_several_exit_statuses_counts() -> None:
    found = [[verdict.Ending(code, str(code)) for code in codes] for codes in ((0, 0), (0, 3), (3, 1), (1, 4), ())]
    assert [verdict.worst(*each).status for each in found] == [0, 3, 1, 4, 0]
    assert verdict.worst(verdict.Ending(1, "one"), None, verdict.Ending(1, "two")) == (1, "one; two")


@pytest.mark.parametrize("flags", [{"lenient": "base"}, {"save": "base"}, {"retain": True}, {"baseline": "base"}])
def test_the_last_run_counts_where_a_flag_names_it(tmp_path: Path, flags: dict[str, object]) -> None:
    ending = verdict.print_comparison(measured(), measured(90.0, seed=2), storage(tmp_path, **flags))
    assert ending is not None
    assert ending.status == 1
    assert verdict.print_comparison(measured(), measured(90.0, seed=2), storage(tmp_path, discard=True)) is None


def test_a_self_check_takes_no_baseline_not_even_the_usual_one(tmp_path: Path) -> None:
    result = asked("--self-check", "--save-baseline", "base", "--home", tmp_path)
    assert result.exit_code == 2
    assert "takes no baseline" in result.stderr


@pytest.mark.parametrize(
    ("option", "flag", "name"),
    [
        ("--save-baseline", "save", "mine"),
        ("--baseline-lenient", "lenient", "mine"),
        ("--baseline", "baseline", "mine"),
        ("--save-baseline", "save", "base"),
    ],
)
@pytest.mark.parametrize("broken", ["NAME.json", "NAME.earlier/000001.json"])
def test_a_named_baseline_that_cannot_be_read_is_refused(
    tmp_path: Path, option: str, flag: str, name: str, broken: str
) -> None:
    for seed in (1, 2):
        of = msgspec.structs.replace(measured(seed=seed), revision="abc")
        Baselines(tmp_path).save(name, of, [])
    path = tmp_path / "baselines" / broken.replace("NAME", name)
    path.write_text("garbage")
    with pytest.raises(BenchError, match=f"baseline '{name}' cannot be used: .*; save it anew after removing {path}"):
        find_base(storage(tmp_path, **{flag: name}), MACHINE)  # type: ignore[arg-type]
    result = asked("execute_echo_simple", "--home", tmp_path, option, name)
    assert (result.exit_code, path.read_text()) == (2, "garbage")


def test_a_last_run_that_cannot_be_read_is_said_to_be_replaced(tmp_path: Path) -> None:
    Baselines(tmp_path).save("base", measured(), []).write_text("garbage")
    reason = find_base(storage(tmp_path), MACHINE).reason
    assert "baseline 'base' cannot be used" in reason
    assert reason.endswith("nothing is compared with it; this run replaces it")
    kept = find_base(storage(tmp_path, discard=True), MACHINE).reason
    assert kept.endswith("nothing is compared with it")


def test_an_earlier_run_that_cannot_be_read_is_replaced_with_the_others(tmp_path: Path) -> None:
    for seed in (1, 2):
        Baselines(tmp_path).save("base", msgspec.structs.replace(measured(seed=seed), revision="abc"), [])
    (tmp_path / "baselines" / "base.earlier" / "000001.json").write_text("garbage")
    assert "cannot be used" in find_base(storage(tmp_path), MACHINE).reason
    Baselines(tmp_path).save("base", msgspec.structs.replace(measured(seed=3), revision="abc"), [])
    assert [run.seed for run in Baselines(tmp_path).load_set("base")] == [3]


def test_a_saved_run_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = asked("--load-baseline", "a", "--baseline-lenient", "b", "--home", tmp_path)
    assert result.exit_code == 2
    assert "there is no baseline 'a'" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("suite/a",), "the filter 'suite/a'"),
        (("--quick",), "--quick"),
        (("--full",), "--full"),
        (("--blocks", "5"), "--blocks"),
        (("--seed", "0"), "--seed"),
        (("--warm-up-time", "0"), "--warm-up-time"),
        (("--terminal", "web-terminal"), "--terminal"),
        (("--url", "ws://127.0.0.1:1/"), "--url"),
        (("--fixed",), "--fixed"),
        (("--runs", "2"), "--runs"),
        (("--profile", "flames"), "--profile"),
    ],
)
def test_what_selects_or_measures_is_refused_next_to_a_saved_run(
    tmp_path: Path, words: tuple[str, ...], named: str
) -> None:
    kept = Baselines(tmp_path)
    kept.save("old", measured(), [])
    kept.save("new", measured(seed=2, names=("suite/a",)), [])
    loaded = ("--baseline", "old", "--load-baseline", "new", "--home", tmp_path, "--noplot")
    result = asked(*words, *loaded)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.rstrip().endswith(f"compares all that was saved; leave out {named}")
    whole = asked(*loaded, "--noise-threshold", 1000)
    assert whole.exit_code == 3
    assert "only in old: suite/b [ours]" in whole.stdout
