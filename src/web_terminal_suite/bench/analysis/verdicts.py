"""Targets judged by the bound of the interval, or by readings where there is none, and what a run ends with."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.analysis.results import Analysis, Estimate, JudgedBy, Judgement, Verdict

if TYPE_CHECKING:
    from web_terminal_suite.bench.samples import Target

CLIENT_LIMIT = 0.8
"""Cores the client may use before its own queueing could be taken for the server's (rule 8)."""


class ExitCode(IntEnum):
    """What a command that judges ends with; 2 is left to usage errors."""

    PASS = 0
    FAIL = 1
    UNDECIDED = 3
    RUN_FAILED = 4


def judge(target: Target | None, estimate: Estimate | None, client_share: float | None, problems: bool) -> Judgement:
    """Compare the bound of the interval, or every reading, with the target and the goal.

    A finding that the client's own load taints is refused; one that a partial cell gives can fail but not pass.

    Args:
        estimate: of the target's statistic; ``None`` where the record has no such statistic.
        client_share: cores used by the client where it stands apart from what is measured.
    """
    if target is None:
        return Judgement()
    if estimate is None:
        return undecided(target, f"no {target.statistic} was measured")
    if client_share is not None and client_share > CLIENT_LIMIT:
        reason = (
            f"the client used {client_share:.0%} of a core, more than {CLIENT_LIMIT:.0%}; offer less or add clients"
        )
        verdict = Verdict.REFUSED
        return Judgement(
            target=target,
            verdict=_unless(target.limit, verdict),
            goal_verdict=_unless(target.goal, verdict),
            reason=reason,
        )
    verdict = side(estimate, target.limit, target.below)
    goal = side(estimate, target.goal, target.below)
    reason = _reason(estimate, target, verdict)
    if problems:
        verdict, goal = (Verdict.UNDECIDED if each is Verdict.PASS else each for each in (verdict, goal))
        reason = reason or "the cell is partial"
    judged_by = JudgedBy.READINGS if estimate.readings else JudgedBy.INTERVAL
    return Judgement(target=target, verdict=verdict, goal_verdict=goal, reason=reason, judged_by=judged_by)


def undecided(target: Target, reason: str) -> Judgement:
    """What is said of a target that nothing was measured for."""
    return Judgement(
        target=target,
        verdict=_unless(target.limit, Verdict.UNDECIDED),
        goal_verdict=_unless(target.goal, Verdict.UNDECIDED),
        reason=reason,
    )


def unless_wrong(judgement: Judgement, wrong: int) -> Judgement:
    """The judgement of a cell in which ``wrong`` answers were wrong: with any it fails, however fast the others came.

    A late answer has its place in a percentile; a wrong one would only be one of those that may be slow.
    """
    passed = Verdict.PASS in (judgement.verdict, judgement.goal_verdict)
    if not wrong or not passed:
        return judgement
    verdict, goal = (
        Verdict.FAIL if each is Verdict.PASS else each for each in (judgement.verdict, judgement.goal_verdict)
    )
    reason = f"{wrong:,} {'answer was' if wrong == 1 else 'answers were'} wrong"
    return msgspec.structs.replace(judgement, verdict=verdict, goal_verdict=goal, reason=reason)


def side(estimate: Estimate, limit: float | None, below: bool) -> Verdict:
    """On which side of ``limit`` the whole interval lies, or all readings where there is none.

    The limit itself fails ``below`` and passes otherwise.
    """
    if limit is None:
        return Verdict.NONE
    lower = min(estimate.readings, default=estimate.lower)
    upper = max(estimate.readings, default=estimate.upper)
    if below:
        if upper < limit:
            return Verdict.PASS
        return Verdict.FAIL if lower >= limit else Verdict.UNDECIDED
    if lower >= limit:
        return Verdict.PASS
    return Verdict.FAIL if upper < limit else Verdict.UNDECIDED


def exit_code(analysis: Analysis) -> ExitCode:
    """What the run amounts to: 4 over 1 over 3 over 0. Goals change nothing."""
    if analysis.problems or any(result.problems for result in analysis.results):
        return ExitCode.RUN_FAILED
    verdicts = {judgement.verdict for result in analysis.results for judgement in result.judgements}
    if Verdict.FAIL in verdicts:
        return ExitCode.FAIL
    if verdicts & {Verdict.UNDECIDED, Verdict.REFUSED}:
        return ExitCode.UNDECIDED
    return ExitCode.PASS


def _unless(limit: float | None, verdict: Verdict) -> Verdict:
    return Verdict.NONE if limit is None else verdict


def _reason(estimate: Estimate, target: Target, verdict: Verdict) -> str:
    if verdict is Verdict.UNDECIDED and estimate.readings:
        return f"{estimate.refusal}; the readings lie on both sides of the limit"
    if verdict is Verdict.UNDECIDED:
        return estimate.refusal or f"the interval of {target.statistic} holds the limit; more blocks narrow it"
    if verdict is Verdict.FAIL and min(estimate.readings, default=estimate.lower) == math.inf:
        return f"too many operations failed for a {target.statistic}"
    return ""
