"""The report in a terminal: numbers as people read them, and tables that stay aligned."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.bench.records import FLOOR, MS, OURS, P95_100_MS, PEER, SUITE, blocks, facts, run, samples, trial
from web_terminal_suite.bench.analysis import Analysis, analyse, analyse_cell
from web_terminal_suite.bench.report.common import rows, units
from web_terminal_suite.bench.report.common.summary import summary
from web_terminal_suite.bench.report.console import console_for
from web_terminal_suite.bench.report.text import cell, report
from web_terminal_suite.bench.samples import Cell, Metric, Outcome, Phase, Run, Target


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0, "ns", "0 ns"),
        (412, "ns", "412 ns"),
        (412.4, "ns", "412 ns"),
        (1_000, "ns", "1.00 µs"),
        (999_499, "ns", "999 µs"),
        (999_600, "ns", "1.00 ms"),
        (12_345_678, "ns", "12.3 ms"),
        (90e9, "ns", "90.0 s"),
        (4_000e9, "ns", "4,000 s"),
        (-1_500, "ns", "-1.50 µs"),
        (9_234, "B/session", "9.23 kB/session"),
        (1_500_000, "bytes", "1.50 MB"),
        (10_000, "sessions", "10,000 sessions"),
        (188_315.2, "msg/s", "188k msg/s"),
        (9_000.4, "msg/s", "9,000 msg/s"),
        (1.254, "x", "1.25x"),
        (0.5, "", "0.50"),
        (None, "ns", "-"),
        (math.inf, "ns", "failed"),
    ],
)
def test_quantity(value: float | None, unit: str, expected: str) -> None:
    assert units.quantity(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (100e6, "ns", "100 ms"),
        (1.5e6, "ns", "1.5 ms"),
        (3e6, "ns", "3 ms"),
        (1.05, "x", "1.05x"),
        (10_000, "msg/s", "10k msg/s"),
        (60e6, "B", "60 MB"),
        (5_000, "sessions", "5,000 sessions"),
    ],
)
def test_limit_has_no_idle_digits(value: float, unit: str, expected: str) -> None:
    assert units.limit(value, unit) == expected


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (690e3, 741e3, "690 … 741 µs"),
        (980e3, 1_020e3, "980 µs … 1.02 ms"),
        (690e3, math.inf, "690 µs … ∞"),
        (-math.inf, 5e3, "… 5.00 µs"),
        (-math.inf, math.inf, "-"),
    ],
)
def test_interval(lower: float, upper: float, expected: str) -> None:
    assert units.interval(lower, upper, "ns") == expected


@given(st.floats(1, 1e15))
def test_quantity_is_within_half_a_digit(value: float) -> None:
    number, unit = units.quantity(value, "ns").replace(",", "").split()
    assert float(number) * dict(units.TIMES)[unit] == pytest.approx(value, rel=0.0051, abs=0.51)
    if unit != "s":
        assert float(number) < 1_000


def mixed() -> Run:
    judged = Metric(
        name="latency", targets={"*": P95_100_MS}, floor_targets={"*": Target(statistic="ratio_p95", limit=1.5)}
    )
    failed = [*samples([MS] * 99), *samples([1], outcome=Outcome.TIMEOUT)]
    return run(
        *blocks(samples([50 * MS] * 5, phase=Phase.WARMUP) + samples([2 * MS] * 100)),
        *blocks(samples([MS] * 100), terminal="floor"),
        *blocks(failed, terminal="peer"),
        trial(samples([MS] * 20), benchmark="other/thin", parameter="10", problem="2 processes were left"),
        *blocks(samples([200 * MS] * 100), benchmark="other/thin", parameter="500"),
        benchmarks=[
            facts(judged, floor="floor", elements={"": 10}, element_unit="msg"),
            facts(id="other/thin", parameters=("10", "500"), needs=("create API",)),
        ],
        terminals=[OURS, PEER, FLOOR],
    )


def printed(analysis: Analysis, width: int | None = None) -> list[str]:
    out = io.StringIO()
    console = (
        console_for(out) if width is None else Console(file=out, width=width, force_terminal=True, color_system=None)
    )
    cautions = {"warnings": [{"seen": "load average 3", "matters": "noise", "remedy": "wait"}]}
    report.print_report(console, analysis, cautions)
    return out.getvalue().splitlines()


def line(lines: list[str], *words: str) -> str:
    found = [each for each in lines if all(word in each for word in words)]
    assert len(found) == 1, found
    return found[0]


def test_the_plain_report_is_aligned_and_has_no_control_character() -> None:
    lines = printed(analyse(mixed()))
    assert not any("\x1b" in each or each != each.rstrip() for each in lines)
    header = line(lines, "judged by", "verdict")
    passed, failed = line(lines, "ours", "< 100 ms", "pass"), line(lines, "500", "< 100 ms", "fail")
    assert passed.index("pass") == failed.index("fail") == header.index("verdict")
    # Numbers end under each other.
    end = header.index("target") + len("target")
    assert passed[:end].endswith("< 100 ms")
    assert failed[:end].endswith("< 100 ms")


def test_a_row_says_what_was_found() -> None:
    lines = printed(analyse(mixed()))
    row = line(lines, "ours", "< 100 ms", "pass")
    assert " ".join(row.split()) == "benchmark ours 2.00 ms p95 2.00 ms 2.00 … 2.00 ms < 100 ms < 3 ms ✓ 2.00x pass"
    ratio = line(lines, "p95 / floor", "fail")
    assert " ".join(ratio.split()) == "p95 / floor 2.00x 2.00 … 2.00x < 1.5x - fail"


def test_notes_say_why() -> None:
    lines = printed(analyse(mixed()))
    assert line(lines, "other/thin/10 [ours]", "2 processes were left")
    assert line(lines, "other/thin/10 [ours]", "n=20, needs 52 more")
    assert line(lines, "[peer]", "1 of 100 operations failed: 1 timeout: no marker (1)")
    assert line(lines, "load average 3: noise; wait")
    assert len([each for each in lines if "not applicable: needs create API" in each]) == 2
    assert lines[-1] == (
        "6 targets: 2 passed, 2 failed, 2 undecided, 2 not applicable; 1 of 4 goals met; exit 4 (the run itself failed)"
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 240])
def test_a_narrow_terminal_loses_columns_but_no_verdict(width: int) -> None:
    analysis = analyse(mixed())
    lines = printed(analysis, width)
    verdicts = [row.verdict for row in rows.judged(analysis)]
    table = lines[next(place for place, each in enumerate(lines) if each.startswith("Targets")) + 1 :]
    table = table[: table.index("")]
    shown = [each for each in table[1:] if each.startswith("  ")]
    assert len(shown) == len(verdicts)
    for each, verdict in zip(shown, verdicts, strict=True):
        assert each.endswith(verdict)
        if width >= 100:
            assert len(each) <= width


@pytest.mark.parametrize("width", [40, 50, 60, 80])
def test_no_line_of_a_narrow_report_is_broken_by_the_terminal(width: int) -> None:
    of = run(*(trial(samples([MS] * 100), parameter=parameter) for parameter in ("1", "10,000")), terminals=[OURS])
    lines = printed(analyse(of), width)
    assert all(len(each) <= width for each in lines), lines
    assert sum(each.endswith("  pass") for each in lines) == 2
    # One terminal needs no column: the title has it.
    assert ("ours" in lines[0]) == all("ours" not in each for each in lines[1:])


def test_a_level_is_never_rounded_to_all() -> None:
    assert [units.level(each) for each in (0.95, 0.999, 0.9999)] == ["95 %", "99.9 %", "99.99 %"]


def test_targets_of_a_terminal_have_colour() -> None:
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True, color_system="standard")
    report.print_report(console, analyse(mixed()), {})
    assert "\x1b[32mpass" in out.getvalue()
    assert "\x1b[1;31mfail" in out.getvalue()


def test_a_run_of_nothing_still_has_a_summary() -> None:
    assert summary(analyse(run())) == "0 targets: none; exit 4 (the run itself failed)"


def test_detail_reads_like_criterion() -> None:
    lines = cell.cell_text(analyse_cell(mixed(), Cell(SUITE, "", "ours"))).plain.splitlines()
    assert lines[0] == "suite/benchmark [ours]  time:   mean  [2.00 ms 2.00 ms 2.00 ms]"
    assert [each.strip() for each in lines[1:]] == [
        "p50   [2.00 ms 2.00 ms 2.00 ms]",
        "p95   [2.00 ms 2.00 ms 2.00 ms]",
        "p99   n=100, needs 268 more",
        "p99.9 n=100, needs 3,588 more",
        "thrpt:        [5,000 msg/s 5,000 msg/s 5,000 msg/s]",
        "floor:  p95   [2.00x 2.00x 2.00x]",
        "100 operations in 5 trials, 5 more to warm up, client 10 % of a core, server 30 %",
        "target: p95 < 100 ms: pass",
        "target: ratio_p95 < 1.5x: fail",
    ]


def test_detail_counts_outliers_by_class() -> None:
    spread = [MS + place for place in range(98)]
    of = run(trial(samples([*spread, 2 * MS, 3 * MS])))
    lines = [each.strip() for each in cell.cell_text(analyse_cell(of, Cell(SUITE, "", "ours"))).plain.splitlines()]
    assert "2 outliers among 100 operations (2.00%)" in lines
    assert "2 (2.00%) high severe" in lines


def test_detail_of_nothing_is_empty() -> None:
    assert cell.cell_text(()).plain == ""


@pytest.mark.parametrize(
    ("environment", "is_terminal", "coloured"),
    [
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"COLUMNS": "²", "LINES": "²"}, False, False),
        ({"COLUMNS": "²", "LINES": "²"}, True, True),
    ],
)
def test_what_the_environment_says_of_colours_and_sizes(monkeypatch, environment, is_terminal, coloured):
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: is_terminal, raising=False)
    console_for(out).print("word", style="red")
    assert ("\x1b[31m" in out.getvalue()) is coloured
    assert "word" in out.getvalue()
