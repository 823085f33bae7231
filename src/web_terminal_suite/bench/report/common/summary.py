"""The summary line of a run: how many targets have which verdict, goals met, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from web_terminal_suite.bench.analysis import JudgedBy, Verdict, exit_code

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis

MEANINGS = {0: "all pass", 1: "a target failed", 3: "not all are decided", 4: "the run itself failed"}
VERB = {Verdict.FAIL: "failed", Verdict.PASS: "passed"}


class SummaryPart(NamedTuple):
    """A stretch of the line: ``verdict`` where it counts one, ``strong`` where it should stand out."""

    words: str
    verdict: Verdict | None = None
    strong: bool = False


def summary(analysis: Analysis, *, ends: bool = True) -> str:
    """The whole line."""
    return "".join(part.words for part in summary_parts(analysis, ends=ends))


def summary_parts(analysis: Analysis, *, ends: bool = True) -> list[SummaryPart]:
    """The line in parts, for output that has colours.

    Args:
        ends: the command ends with this run's exit code; else the line only says what it stands for.
    """
    judgements = [judgement for result in analysis.results for judgement in result.judgements]
    found = [each.verdict for each in judgements if each.verdict is not Verdict.NONE]
    judged = [verdict for verdict in found if verdict is not Verdict.NOT_APPLICABLE]
    parts = [
        SummaryPart(f"{len(judged)} {'target' if len(judged) == 1 else 'targets'}", strong=True),
        SummaryPart(": "),
    ]
    counted = [(verdict, found.count(verdict)) for verdict in Verdict if verdict in found]
    for place, (verdict, n) in enumerate(counted):
        parts += [SummaryPart(", " if place else ""), SummaryPart(f"{n} {VERB.get(verdict, verdict)}", verdict)]
    if not counted:
        parts.append(SummaryPart("none"))
    goals = [each.goal_verdict for each in judgements if each.goal_verdict is not Verdict.NONE]
    if goals:
        parts.append(SummaryPart(f"; {goals.count(Verdict.PASS)} of {len(goals)} goals met"))
    code = int(exit_code(analysis))
    parts.append(SummaryPart("; "))
    if ends:
        parts += [SummaryPart(f"exit {code}", strong=True), SummaryPart(f" ({MEANINGS[code]})")]
    else:
        parts.append(SummaryPart(MEANINGS[code]))
    readings = sum(each.judged_by is JudgedBy.READINGS and each.verdict is not Verdict.NONE for each in judgements)
    if readings:
        parts.append(SummaryPart(f"; {readings} judged by readings, without an interval"))
    return parts
