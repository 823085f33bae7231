"""JupyterLab's own client of terminals (``@jupyterlab/services``, from npm) against our server, in Node."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import hatch_build
import pytest

from tests.conftest import TOKEN

CLIENT = pathlib.Path(__file__).parent / "jupyterlab"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The client's directory with its packages, exactly as the lock file has them; and Node."""
    place = tmp_path_factory.mktemp("jupyterlab")
    for each in CLIENT.iterdir():
        if each.is_file():
            shutil.copy(each, place)
    node, npm = hatch_build.find_node()
    environment = {**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ["PATH"]])}
    command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"npm gave no JupyterLab client, which CI must have: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    return place, node


def test_jupyterlab_s_client_works_unmodified(client, compat_server):
    place, node = client
    environment = {**os.environ, "TERMINALS_URL": f"{compat_server.origin}/jupyter/", "TERMINALS_TOKEN": TOKEN}
    done = subprocess.run(
        [str(node), "terminals.mjs"], cwd=place, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["all of it"]), done.stdout + done.stderr
