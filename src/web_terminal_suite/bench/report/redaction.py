"""A run as it may be published: nothing in it identifies the machine.

Figures are untouched. Messages of terminals and kernels are kept, without the directories that they name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.report.common.labels import placeless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from web_terminal_suite.bench.analysis import Analysis, Judgement, Result
    from web_terminal_suite.bench.samples import Run, TerminalFacts, Trial


def redacted(run: Run, analysis: Analysis) -> tuple[Run, Analysis]:
    """Both without host names, addresses of servers and directories."""
    replace = msgspec.structs.replace
    return (
        replace(
            run,
            machine=_machine(run.machine),
            terminals=tuple(map(_terminal, run.terminals)),
            trials=tuple(
                _trial(each) if each.problem or each.warnings or each.filmstrips else each for each in run.trials
            ),
        ),
        replace(
            analysis,
            results=tuple(map(_result, analysis.results)),
            problems=_all(analysis.problems),
            absent=_all(analysis.absent),
        ),
    )


def _all(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(placeless, texts))


def _machine(machine: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in part.items() if key != "hostname"} if isinstance(part, dict) else part
        for name, part in machine.items()
    }


def _terminal(facts: TerminalFacts) -> TerminalFacts:
    return msgspec.structs.replace(facts, url="", missing=placeless(facts.missing))


def _trial(trial: Trial) -> Trial:
    # A picture shows whatever was on the screen: a prompt names its machine.
    return msgspec.structs.replace(
        trial, problem=placeless(trial.problem), warnings=_all(trial.warnings), filmstrips=()
    )


def _result(result: Result) -> Result:
    reasons: dict[str, int] = {}
    for reason, count in result.reasons.items():
        words = placeless(reason)
        reasons[words] = reasons.get(words, 0) + count
    replace = msgspec.structs.replace
    return replace(
        result,
        reasons=reasons,
        judgement=_judgement(result.judgement),
        floor=result.floor and replace(result.floor, judgement=_judgement(result.floor.judgement)),
        problems=_all(result.problems),
        warnings=_all(result.warnings),
    )


def _judgement(judgement: Judgement) -> Judgement:
    return msgspec.structs.replace(judgement, reason=placeless(judgement.reason))
