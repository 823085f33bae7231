"""What the page is given of terminals beside each other, and what a page that is published keeps to itself."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner

from tests.bench.beside import BUSY, ECHO, FIRST, FLOOD, HOME, HOST, OWN, PASTE, QUICK, SLOW, several
from tests.bench.test_report_html import FRAME
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.terminals import beside as found_beside
from web_terminal_suite.bench.report import beside, html, html_beside, html_overview, labels, units
from web_terminal_suite.bench.report import json as report_json
from web_terminal_suite.bench.report.html_samples import Measured
from web_terminal_suite.bench.report.published import published
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
    return found_beside(run, analysis)


@pytest.fixture(scope="module")
def page(run, analysis):
    return html_beside.page(Measured(run, analysis))


def at(page, benchmark, statistic):
    return next(each for each in page.lines if (each.anchor, each.statistic) == (benchmark, statistic))


def of(run, analysis, *, brief=False):
    return html_overview.page(Measured(run, analysis), None, (), "0", brief=brief)


def test_every_figure_is_that_of_the_analysis(run, page, compared):
    assert [each.name for each in page.terminals] == ["web-terminal", "quick", "slow", "busy"]
    assert len(page.lines) == len(compared.lines) > 8
    for given, line in zip(page.lines, compared.lines, strict=True):
        assert given.anchor == line.benchmark
        for name, figure in zip(compared.terminals, given.figures, strict=True):
            known = line.figures[name]
            assert figure.value == ("" if known.value is None else units.quantity(known.value, line.unit))
            assert figure.ratio == beside.ratio(known)
            assert figure.interval == beside.bounds(known)


def test_a_side_is_that_of_the_terminal_and_nobodys_where_nothing_is_better(page):
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
    assert slow.failed == "32 of 272 failed: no marker"
    assert busy.failed == ""
    assert busy.client == "93 %"
    assert slow.client == ""


def test_a_rate_stands_beside_a_time_where_an_operation_has_elements(page):
    first = at(page, FLOOD, "p50").figures[0]
    assert first.rate.endswith("MB/s")
    assert at(page, PASTE, "p50").figures[0].rate == ""


def test_the_axis_has_the_first_terminal_better_above_one(page):
    short = {each.words: each for each in page.short}
    echo = short["keystroke echo, p50"]
    assert page.lines[echo.line].anchor == ECHO
    quick, slow, _ = echo.places
    assert quick[1] < quick[0] < quick[2] < 1
    assert 1 < slow[1] < slow[0] < slow[2]
    assert not echo.turned


def test_where_more_is_better_the_place_is_turned_round_with_its_bounds():
    from tests.bench.test_comparison_document import line
    from web_terminal_suite.bench.analysis.comparison.terminals import Figure

    figure = Figure(value=1.0, ratio=0.5, lower=0.25, upper=0.8)
    assert html_beside._place(line(figure), figure) == (0.5, 0.25, 0.8)
    assert html_beside._place(line(figure, below=False), figure) == (2.0, 1.25, 4.0)
    endless = msgspec.structs.replace(figure, lower=0.0, upper=float("inf"))
    assert html_beside._place(line(endless), endless) == (0.5, None, None)
    assert html_beside._place(line(endless), Figure(value=1.0)) is None
    assert html_beside._place(line(endless), None) is None


def test_what_only_one_terminal_has_is_not_beside_anything(page):
    assert OWN not in {line.anchor for line in page.lines}


def test_a_run_of_one_terminal_has_nothing_beside_it():
    alone = several(FIRST)
    assert html_beside.page(Measured(alone, analyse(alone))) is None


@pytest.mark.parametrize(
    ("terminals", "title"),
    [
        ((FIRST,), "web-terminal 1"),
        ((FIRST, QUICK), "web-terminal beside quick"),
        ((FIRST, QUICK, SLOW, BUSY), "web-terminal beside quick, slow and busy"),
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
    assert brief.beside == full.beside


def test_a_published_page_does_not_say_whose_machine_it_was(run, analysis, tmp_path):
    template = tmp_path / "index.html"
    template.write_text(FRAME)
    full = html.render(run, analysis, "0", template=template)
    brief = html.render(run, analysis, "0", (run, analysis), template=template, brief=True)
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
    shown, known = published(run, analysis)
    assert [each.estimates for each in known.results] == [each.estimates for each in analysis.results]
    assert [each.samples for each in shown.trials] == [each.samples for each in run.trials]
    assert html_beside.page(Measured(shown, known)).short == html_beside.page(Measured(run, analysis)).short
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
