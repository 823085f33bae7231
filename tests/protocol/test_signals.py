"""Signals by name."""

from __future__ import annotations

import signal

import pytest

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.signals import signal_name, signal_number


@pytest.mark.parametrize("number", signal.Signals)
def test_every_signal_of_the_system_is_known_by_its_name(number):
    assert signal_number(number.name) == number


@pytest.mark.parametrize("name", ["", "INT", "sigint", "SIG", "SIGNOPE", "SIG_DFL", "SIGINT ", "SIG\0", "SIGX" * 100])
def test_anything_else_is_refused_by_name(name):
    with pytest.raises(TheirError, match="is unknown; names are as in SIGINT") as refused:
        signal_number(name)
    assert refused.value.code is ErrorCode.UNKNOWN_SIGNAL
    assert repr(name[:40]) in refused.value.message


def test_a_number_without_a_name_has_the_number_in_it():
    assert [signal_name(number) for number in (signal.SIGHUP, 40)] == ["SIGHUP", "SIG40"]
