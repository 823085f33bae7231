"""Help shows what was written: square brackets would be taken for markup and vanish."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from web_terminal_suite.cli.application import COMMANDS, application


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_default_that_is_written(command):
    found = application.get_command(None, command)
    written = [text.split("(default: ")[1] for each in found.params if "(default: " in (text := each.help or "")]
    shown = CliRunner().invoke(application, [command, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    words = " ".join(shown.output.split())
    for each in written:
        assert f"(default: {' '.join(each.split())}" in words
