"""Tests that failed and passed when they were run again (``--reruns 1``, for CI): few may, and each is named."""

from __future__ import annotations

import pytest

MOST = 3
"""More of them are no bad luck of a shared machine: the run fails."""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if len(_run_again(session.config)) > MOST and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    again = _run_again(terminalreporter.config)
    if not again:
        return
    terminalreporter.section("failed, and run again")
    for name in again:
        terminalreporter.write_line(name)
    if len(again) > MOST:
        terminalreporter.write_line(f"{len(again)} tests were run again; more than {MOST} fail the run", red=True)


def _run_again(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [] if reporter is None else [report.nodeid for report in reporter.stats.get("rerun", ())]
