"""What a server that is out of something, or that fails, says over REST and over a WebSocket."""

from __future__ import annotations

import json
import os
import resource

import psutil
import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import http, ready


async def refused(server, spec: dict[str, object]) -> tuple[tuple[int, str], tuple[int, str, bool]]:
    """How a session is refused: REST's status and code; the close code, the error's code and whether it is fatal."""
    answer = await http(server, "POST", "/api/v1/sessions", body=json.dumps(spec).encode(), token=TOKEN)
    async with ready(server) as socket:
        socket.say(type="attach", spec=spec)
        close, _, (error,) = await socket.closed()
        assert error["message"]
    return (answer.status, answer.json()["code"]), (close, error["code"], error.get("fatal", False))


async def test_a_host_without_descriptors_is_503_and_1013_until_it_has_some():
    with serving() as server:
        pid, held = server.host.pid, psutil.Process(server.host.pid).num_fds()
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (held, before[1]))
        while (await http(server, "POST", "/api/v1/sessions", body=b"{}", token=TOKEN)).status == 201:
            assert psutil.Process(pid).num_fds() < held + 20
        rest, socket = await refused(server, {})
        assert rest == (503, "no_descriptor")
        assert socket == (1013, "no_descriptor", True)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        answer = await http(server, "POST", "/api/v1/sessions", body=b"{}", token=TOKEN)
        assert answer.status == 201


async def test_a_host_that_fails_is_500_and_1011_and_goes_on(tmp_path, monkeypatch):
    """A relative shell cannot be looked up from a directory that is gone, which the host does not expect."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    with serving() as server:
        os.rmdir(gone)
        rest, socket = await refused(server, {"shell": "./sh"})
        assert rest == (500, "internal_error")
        assert socket == (1011, "internal_error", True)
        assert any("CreateSession failed" in line for line in server.log)
        answer = await http(server, "POST", "/api/v1/sessions", body=b'{"cwd":"/"}', token=TOKEN)
        assert answer.status == 201


@pytest.mark.parametrize("name", ["../up", "%00"])
async def test_a_path_that_no_file_can_have_is_400_or_404(server, name):
    answer = await http(server, "GET", f"/{name}", token=TOKEN)
    assert (answer.status, answer.json()["code"]) in ((400, "bad_request"), (404, "not_found"))
