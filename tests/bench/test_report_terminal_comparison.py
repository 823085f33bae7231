"""The comparison of terminals as the page is given it, and what a published page leaves out."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner

from tests.bench.terminals_compared import BUSY, ECHO, FIRST, FLOOD, HOME, HOST, OWN, PASTE, QUICK, SLOW, several
from tests.bench.test_report_html import FRAME
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects as compare
from web_terminal_suite.bench.report.common import labels, side_by_side, units
from web_terminal_suite.bench.report.common.run_data import MeasuredRun
from web_terminal_suite.bench.report.export import json as report_json
from web_terminal_suite.bench.report.html import document, overview, terminal_comparison
from web_terminal_suite.bench.report.redaction import redacted
from web_terminal_suite.bench.samples import Run
from web_terminal_suite.cli.application import application


@pytest.fixture(scope="module")
def run() -> Run:
    return several()


@pytest.fixture(scope="module")
def analysis(run):
    return analyse(run)


@pytest.fixture(scope="module")
def compared(run, analysis):
    return compare(run, analysis)


@pytest.fixture(scope="module")
def page(run, analysis):
    return terminal_comparison.comparison_section(MeasuredRun(run, analysis))


def at(page, benchmark, statistic):
    return next(each for each in page.lines if (each.anchor, each.statistic) == (benchmark, statistic))


def of(run, analysis, *, brief=False):
    return overview.report_page(MeasuredRun(run, analysis), None, (), "0", brief=brief)


def test_every_figure_is_that_of_the_analysis(run, page, compared):
    assert [each.name for each in page.terminals] == ["web-terminal", "quick", "slow", "busy"]
    assert len(page.lines) == len(compared.lines) > 8
    for given, line in zip(page.lines, compared.lines, strict=True):
        assert given.anchor == line.benchmark
        for name, figure in zip(compared.terminals, given.figures, strict=True):
            known = line.figures[name]
            assert figure.value == ("" if known.value is None else units.quantity(known.value, line.unit))
            assert figure.ratio == side_by_side.ratio(known)
            assert figure.interval == side_by_side.bounds(known)


def test_a_side_is_that_of_the_terminal_and_empty_where_nothing_is_better(page):
    assert [each.side for each in at(page, ECHO, "p50").figures] == ["", "ahead", "behind", ""]
    assert [each.side for each in at(page, ECHO, "messages").figures] == ["", "", "", ""]


def test_scores_are_counted_from_the_lines(page):
    assert page.terminals[0].score is None
    for place, terminal in enumerate(page.terminals[1:], start=1):
        ahead, behind, neither = terminal.score
        sides = [line.figures[place].side for line in page.lines]
        assert (ahead, behind) == (sides.count("ahead"), sides.count("behind"))
        messages = 1
        assert ahead + behind + neither == sum(bool(line.figures[place].ratio) for line in page.lines) - messages


def test_a_line_leads_to_the_panel_that_shows_it(run, analysis, compared, page):
    panels = {each.id: each.panels for each in of(run, analysis).benchmarks}
    for given, line in zip(page.lines, compared.lines, strict=True):
        panel = panels[given.anchor][given.panel]
        assert (panel.parameter, panel.metric) == (line.parameter, line.metric)


def test_failures_and_a_busy_client_stand_where_they_were(page):
    slow, busy = (at(page, PASTE, "p50").figures[place] for place in (2, 3))
    assert slow.failed == "40 of 340 failed: no marker"
    assert busy.failed == ""
    assert busy.client == "93 %"
    assert slow.client == ""


def test_a_rate_is_given_with_a_time_where_an_operation_has_elements(page):
    first = at(page, FLOOD, "p50").figures[0]
    assert first.rate.endswith("MB/s")
    assert at(page, PASTE, "p50").figures[0].rate == ""


def test_the_axis_has_the_first_terminal_better_above_one(page):
    short = {each.words: each for each in page.highlights}
    echo = short["keystroke echo, p50"]
    assert page.lines[echo.line].anchor == ECHO
    quick, slow, _ = echo.ratios
    assert quick[1] < quick[0] < quick[2] < 1
    assert 1 < slow[1] < slow[0] < slow[2]
    assert not echo.inverted


def test_where_more_is_better_the_place_is_turned_round_with_its_bounds():
    from tests.bench.test_comparison_document import line
    from web_terminal_suite.bench.analysis.comparison.terminals import Figure

    figure = Figure(value=1.0, ratio=0.5, lower=0.25, upper=0.8)
    assert terminal_comparison._ratio_interval(line(figure), figure) == (0.5, 0.25, 0.8)
    assert terminal_comparison._ratio_interval(line(figure, below=False), figure) == (2.0, 1.25, 4.0)
    endless = msgspec.structs.replace(figure, lower=0.0, upper=float("inf"))
    assert terminal_comparison._ratio_interval(line(endless), endless) == (0.5, None, None)
    assert terminal_comparison._ratio_interval(line(endless), Figure(value=1.0)) is None
    assert terminal_comparison._ratio_interval(line(endless), None) is None


def test_what_only_one_terminal_has_is_not_compared(page):
    assert OWN not in {line.anchor for line in page.lines}


def test_a_run_of_one_terminal_has_no_comparison():
    alone = several(FIRST)
    assert terminal_comparison.comparison_section(MeasuredRun(alone, analyse(alone))) is None


@pytest.mark.parametrize(
    ("terminals", "title"),
    [
        ((FIRST,), "web-terminal 1"),
        ((FIRST, QUICK), "web-terminal compared with quick"),
        ((FIRST, QUICK, SLOW, BUSY), "web-terminal compared with quick, slow and busy"),
    ],
)
def test_of_several_terminals_the_title_has_only_the_names(terminals, title):
    named = several(*terminals)
    assert of(named, analyse(named)).title == title


def test_a_brief_page_has_no_panels_and_only_our_own_targets(run, analysis):
    full, brief = of(run, analysis), of(run, analysis, brief=True)
    assert {row.terminal for row in full.overview} > {"web-terminal"}
    assert {row.terminal for row in brief.overview} == {"web-terminal"}
    assert brief.judged == "web-terminal"
    assert full.judged == ""
    assert sum(full.verdicts.values()) > sum(brief.verdicts.values())
    assert [each.id for each in brief.benchmarks] == [each.id for each in full.benchmarks]
    assert all(each.panels for each in full.benchmarks)
    assert not any(each.panels for each in brief.benchmarks)
    assert brief.comparison == full.comparison


def test_a_published_page_does_not_say_whose_machine_it_was(run, analysis, tmp_path):
    template = tmp_path / "index.html"
    template.write_text(FRAME)
    full = document.render(run, analysis, "0", template=template)
    brief = document.render(run, analysis, "0", (run, analysis), template=template, brief=True)
    assert HOST in full
    assert HOME in full
    for private in (HOST, HOME, "/opt/of"):
        assert private not in brief
    commands = {each["name"]: each["command"] for each in data(brief)["terminals"]}
    assert commands["web-terminal"] == "python -m web_terminal_suite serve --config it.toml"
    assert commands["quick"] == "quick"
    assert "gone does not start" in brief
    assert "cannot read slow.conf" in brief


def data(text):
    return json.loads(text.partition('type="application/json">')[2].partition("</script>")[0])


def test_publishing_leaves_every_figure_as_it_was(run, analysis):
    shown, known = redacted(run, analysis)
    assert [each.estimates for each in known.results] == [each.estimates for each in analysis.results]
    assert [each.samples for each in shown.trials] == [each.samples for each in run.trials]
    before, after = MeasuredRun(run, analysis), MeasuredRun(shown, known)
    section = terminal_comparison.comparison_section
    assert section(after).highlights == section(before).highlights
    assert run.machine["before"]["hostname"] == HOST


def test_the_command_publishes_without_a_trace_of_the_machine(run, analysis, tmp_path):
    record = tmp_path / "run.json"
    report_json.write(record, run, analysis)
    for words in (("--brief",), ("--format", "comparison")):
        into = tmp_path / "out"
        made = CliRunner().invoke(application, ["report", str(record), *words, "-o", str(into)])
        assert made.exit_code == 0, made.output
        text = into.read_text()
        assert "quick" in text
        assert HOST not in text
        assert HOME not in text


@pytest.mark.parametrize("other", ["markdown", "comparison"])
def test_what_has_no_brief_form_is_refused(other, tmp_path):
    into = tmp_path / "out"
    made = CliRunner().invoke(application, ["report", "any", "--brief", "--format", other, "-o", str(into)])
    assert made.exit_code == 2
    assert f"--brief is for the page, and --format {other} has no brief form" in made.stderr
    assert not into.exists()


def test_of_many_a_few_are_named():
    assert labels.few([]) == ""
    assert labels.few(["a", "b", "c"]) == "a, b, c"
    assert labels.few(range(5)) == "0, 1, 2 and 2 more"


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        ((), ""),
        (("/usr/bin/ttyd", "--port", "0", "/bin/sh"), "ttyd --port 0 /bin/sh"),
        (("/usr/bin/node", "/opt/a b/main.js", "--x", "a b"), "node main.js --x 'a b'"),
        (("python", "-m", "a.b", "--config=/srv/x/y.toml"), "python -m a.b --config=y.toml"),
    ],
)
def test_a_command_is_as_typed_with_programs_by_their_names(words, typed):
    assert labels.command(words) == typed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /home/a/b.conf: no such file", "cannot read b.conf: no such file"),
        ("[Errno 2] '/tmp/x/y'", "[Errno 2] 'y'"),
        ("in ~/made/by/me.log", "in me.log"),
        ("10 MB/s and/or http://127.0.0.1:80/a/b", "10 MB/s and/or http://127.0.0.1:80/a/b"),
        ("interactive/keystroke_echo/tty", "interactive/keystroke_echo/tty"),
        ("no /dev/ptmx, /bin/sh, /proc/sys/kernel/pty/max", "no /dev/ptmx, /bin/sh, /proc/sys/kernel/pty/max"),
    ],
)
def test_files_are_called_by_their_names_alone(text, shown):
    assert labels.placeless(text) == shown
