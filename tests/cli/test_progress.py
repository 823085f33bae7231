"""What a person sees while a run proceeds, where nobody draws a bar."""

from __future__ import annotations

import pytest

from tests.bench.records import MS, samples, trial
from web_terminal_suite.cli.progress import ProgressLines


def test_a_line_counts_what_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ProgressLines(2)
    lines.end(trial(samples([MS] * 3)))
    lines.end(trial(problem="2 processes were left", block=1))
    lines.again(1)
    lines.end(trial(samples([MS])))
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] suite/benchmark [ours] block 1, 3 operations",
        "[2/2] suite/benchmark [ours] block 2, 0 operations: 2 processes were left",
        "[3/3] suite/benchmark [ours] block 1, 1 operation",
    ]
