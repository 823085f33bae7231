"""The page's own tests (Vitest) and its types, run with the Node that builds it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import hatch_build
import pytest

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"


COMMANDS = {"tests": ["vitest/vitest.mjs", "run"], "types": ["typescript/bin/tsc", "--noEmit"]}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_page_s_own_checks_pass(command):
    node, _npm = hatch_build.find_node()
    program = FRONTEND / "node_modules" / command[0]
    assert program.exists(), "the page's packages are missing; make them with: pip install -e ."
    environment = {**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ["PATH"]])}
    line = [str(node), str(program), *command[1:]]
    done = subprocess.run(line, cwd=FRONTEND, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
