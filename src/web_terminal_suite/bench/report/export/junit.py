"""Targets as test cases (JUnit XML), so that any CI shows them with the tests.

A target that is missed is a *failure*. One that cannot be judged because the measurement itself failed (refused,
nothing measured, a problem in the cell) is an *error*. One that is undecided or does not apply is *skipped*
with its reason: it neither passed nor failed. Goals are no test cases.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from web_terminal_suite.bench.analysis import JudgedBy, Verdict
from web_terminal_suite.bench.report.common import rows, units

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from web_terminal_suite.bench.analysis import Analysis, Judgement, Result
    from web_terminal_suite.bench.report.export import ExportOptions
    from web_terminal_suite.bench.samples import Run, Trial

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold in any form (section 2.2)."""

STATES = {
    Verdict.FAIL: "failure",
    Verdict.REFUSED: "error",
    Verdict.UNDECIDED: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}


def export(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
    """One XML file."""
    return {"": document(run, analysis)}


def document(run: Run, analysis: Analysis) -> str:
    """One test suite for each suite of benchmarks, one test case for each target."""
    root = ElementTree.Element("testsuites", name="web-terminal bench")
    suites: dict[str, list[Element]] = {}
    told = {result.cell for result in analysis.results if _limits(result)}
    for result in analysis.results:
        cases = suites.setdefault(result.cell.benchmark.rpartition("/")[0], [])
        seconds = _seconds(run.trials, result)
        cases += [_judged(result, judgement, seconds) for judgement in _limits(result)]
        if result.problems and result.cell not in told:
            told.add(result.cell)
            case = _case(result.cell.benchmark, f"{_place(result)} is measured whole", seconds)
            _state(case, "error", "; ".join(result.problems))
            cases.append(case)
    for name, cases in suites.items():
        if cases:
            _suite(root, name, cases, run)
    if analysis.problems:
        case = _case("run", "the whole plan was carried out", 0)
        _state(case, "error", "; ".join(analysis.problems))
        _suite(root, "run", [case], run)
    _count(root, list(root.iter("testcase")))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, name: str, cases: list[Element], run: Run) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=name, timestamp=_clean(run.started))
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("schema", run.schema), ("seed", str(run.seed))):
        ElementTree.SubElement(properties, "property", name=key, value=value)
    suite.extend(cases)
    _count(suite, cases)


def _count(element: Element, cases: list[Element]) -> None:
    element.set("tests", str(len(cases)))
    for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(plural, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _limits(result: Result) -> list[Judgement]:
    return [each for each in result.judgements if each.target is not None and each.target.limit is not None]


def _judged(result: Result, judgement: Judgement, seconds: float) -> Element:
    target = judgement.target
    if target is None:
        raise ValueError("a judgement without a target is no test case")
    statistic = target.statistic.replace("ratio_", "over the floor at ")
    case = _case(
        result.cell.benchmark,
        f"{_place(result)}: {statistic} {rows.limit(target, target.limit, result)}",
        seconds,
    )
    value, interval = rows.value_and_interval(
        rows.estimate_of(target.statistic, result), rows.unit_of(target.statistic, result)
    )
    words = f"{target.statistic} {value}, interval {interval}, from {units.count(result.n)} in {result.trials} trials"
    if judgement.judged_by is JudgedBy.READINGS:
        words += ", judged by readings"
    if judgement.verdict is Verdict.UNDECIDED and result.problems:
        _state(case, "error", "; ".join(result.problems), words)
    elif judgement.verdict in STATES:
        reason = judgement.reason or result.not_applicable or words
        _state(case, STATES[judgement.verdict], f"{judgement.verdict}: {reason}", words)
    ElementTree.SubElement(case, "system-out").text = _clean(words)
    return case


def _place(result: Result) -> str:
    name = result.cell.benchmark.rpartition("/")[2]
    parts = [name, result.cell.parameter]
    return f"{'/'.join(part for part in parts if part)} [{result.cell.terminal}] {result.metric.name}"


def _case(benchmark: str, name: str, seconds: float) -> Element:
    return ElementTree.Element(
        "testcase", classname=_clean(benchmark.replace("/", ".")), name=_clean(name), time=f"{seconds:.3f}"
    )


def _state(case: Element, tag: str, message: str, text: str = "") -> None:
    state = ElementTree.SubElement(case, tag, message=_clean(message))
    if tag != "skipped":
        state.set("type", "target" if tag == "failure" else "measurement")
        state.text = _clean(text or message)


def _seconds(trials: tuple[Trial, ...], result: Result) -> float:
    """How long the cell was measured."""
    usages = [trial.usage for trial in trials if trial.cell == result.cell and trial.usage is not None]
    return sum(usage.elapsed_ns for usage in usages) / 1e9


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
