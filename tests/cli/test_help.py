"""Help shows what was written: square brackets would be taken for markup and vanish."""

from __future__ import annotations

import inspect
import re

import pytest
from click.testing import CliRunner

from web_terminal_suite.cli.application import COMMANDS, application


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_default_that_is_written(command):
    module = __import__(COMMANDS[command], fromlist=["*"])
    written = len(re.findall(r"[(\[]default: ", inspect.getsource(module)))
    shown = CliRunner().invoke(application, [command, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert shown.output.count("default: ") >= written
