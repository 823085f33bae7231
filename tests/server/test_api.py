"""REST, whole: every operation, its statuses, and the same answers under a base path and from several workers."""

from __future__ import annotations

import asyncio
import json
import pathlib
import re

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import TOKEN, serving
from tests.server.raw import attached, http, websocket
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.rest import rest
from web_terminal_suite.server.ipc import SessionInfo
from web_terminal_suite.server.worker.http.api import OPERATIONS

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "protocol.md"


@pytest.fixture(scope="module")
def based():
    """A server under a base path, with several workers."""
    with serving("--base-path", "/term", "--workers", "3") as each:
        yield each


@pytest.fixture(params=["server", "based"])
def either(request):
    return request.getfixturevalue(request.param)


async def call(server, method: str, path: str, body: object = None, status: int = 200):
    base = "/term" if "/term" in server.url else ""
    data = None if body is None else json.dumps(body).encode()
    answer = await http(server, method, f"{base}/api/v1{path}", token=TOKEN, body=data)
    assert answer.status == status, answer
    return answer


async def test_the_base_path_without_a_slash_leads_to_the_page_and_keeps_the_query(based):
    answer = await http(based, "GET", "/term?session=a%26b")
    assert (answer.status, answer.header("location")) == (307, "/term/?session=a%26b")


async def test_a_sessions_life(either):
    made = (await call(either, "POST", "/sessions", {"name": "mine", "cols": 90, "rows": 30}, 201)).json()
    assert set(made) == set(SessionInfo.__struct_fields__)
    assert (made["name"], made["user"], made["state"], made["viewers"]) == ("mine", "owner", "running", 0)
    assert (made["cols"], made["rows"], made["command"]) == (90, 30, ["/bin/sh"])
    assert (made["status"], made["signal"]) == (None, None)
    assert abs(made["created"] - psutil.Process(made["pid"]).create_time()) < 5
    there = f"/sessions/{made['id']}"
    read = (await call(either, "GET", there)).json()
    moving = {"offset": 0, "idle_seconds": 0, "created": 0, "ends_in": 0}
    assert {**read, **moving} == {**made, **moving}
    changed = (await call(either, "PATCH", there, {"name": "yours", "cols": 100})).json()
    assert (changed["name"], changed["cols"], changed["rows"]) == ("yours", 100, 30)
    idle = (await call(either, "GET", there)).json()["idle_seconds"]
    assert (await call(either, "POST", there + "/touch", {})).json()["idle_seconds"] < idle
    await call(either, "DELETE", there, status=204)
    # Answered after the shell was reaped: no zombie, no process.
    assert not psutil.pid_exists(made["pid"])
    assert (await call(either, "GET", there, status=404)).json()["code"] == "no_such_session"
    await call(either, "DELETE", there, status=404)


async def test_a_size_set_over_rest_reaches_the_shell_and_the_viewers(either):
    async with connect(either.url) as connection, rest(either.url) as api:
        attached_ = await connection.attach()
        await api.call("PATCH", f"/sessions/{attached_.session}", {"rows": 33})
        assert (await connection.run("stty size")).output == b"33 80\r\n"
        await connection.close(destroy=True)


async def test_a_signal_reaches_the_foreground_program(either):
    async with connect(either.url) as connection, rest(either.url) as api:
        attached_ = await connection.attach()
        connection.command("sh -c 'trap \"echo caught; exit\" USR1; printf %s%s rea dy; while :; do sleep 0.05; done'")
        await connection.wait_for(b"ready")
        assert (await api.call("POST", f"/sessions/{attached_.session}/signal", {"name": "SIGUSR1"})).status == 204
        await connection.wait_for(b"caught\r\n")
        await connection.close(destroy=True)


async def test_an_ended_session_can_be_read_for_a_while_and_be_deleted(either):
    spec = {"shell": "/bin/sh", "args": ["-c", "echo bye; exit 7"]}
    made = (await call(either, "POST", "/sessions", spec, 201)).json()
    there = f"/sessions/{made['id']}"
    async with asyncio.timeout(20):
        while (ended := (await call(either, "GET", there)).json())["state"] != "ended":
            await asyncio.sleep(0.01)
    assert (ended["status"], ended["signal"], ended["offset"]) == (7, None, 5)
    async with connect(either.url) as connection:
        await connection.attach(made["id"])
        assert b"".join([each async for each in connection]) == b"bye\r\n"
        assert connection.exit.status == 7
    await call(either, "DELETE", there, status=204)
    await call(either, "GET", there, status=404)


async def test_listing_pages_through_everything_once_in_order(either):
    made = [(await call(either, "POST", "/sessions", {"name": f"n{n}"}, 201)).json()["id"] for n in range(5)]
    seen, after = [], ""
    while after is not None:
        page = (await call(either, "GET", f"/sessions?limit=2{after and '&after=' + after}")).json()
        assert len(page["sessions"]) <= 2
        assert page["total"] >= 5
        seen += [each["id"] for each in page["sessions"]]
        after = page["next"]
    assert [each for each in seen if each in made] == made
    assert len(set(seen)) == len(seen)
    # A page goes on after a session that ended meanwhile.
    await call(either, "DELETE", f"/sessions/{made[1]}", status=204)
    later = (await call(either, "GET", f"/sessions?after={made[1]}")).json()["sessions"]
    assert [each["id"] for each in later if each["id"] in made] == made[2:]
    for id in (made[0], *made[2:]):
        await call(either, "DELETE", f"/sessions/{id}", status=204)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/sessions?limit=0", None, 422, "limit"),
        ("GET", "/sessions?limit=1001", None, 422, "limit"),
        ("GET", "/sessions?limit=x", None, 422, "limit"),
        ("POST", "/sessions", {"cols": 0}, 422, "cols = 0 is out of range: 1 to 500"),
        ("POST", "/sessions", {"rows": 201}, 422, "rows = 201"),
        ("POST", "/sessions", {"shel": "x"}, 422, "shel"),
        ("POST", "/sessions", {"cols": "wide"}, 422, "cols"),
        ("POST", "/sessions", {"name": "\x07"}, 422, "control character"),
        ("POST", "/sessions", {"limits": {"open_files": 10**30}}, 422, ""),
        ("POST", "/sessions", {"env": {"A": "x" * 170_000}}, 413, "163840"),
        ("POST", "/login", {}, 422, "token"),
        ("POST", "/login", {"token": "x", "user": "y"}, 422, "user"),
        ("GET", "/sessions/none", None, 404, "'none'"),
        ("GET", "/nothing", None, 404, ""),
        ("PUT", "/sessions", {}, 405, ""),
    ],
)
async def test_a_bad_request_says_what_is_wrong_and_changes_nothing(server, method, path, body, status, words):
    before = (await call(server, "GET", "/sessions")).json()["total"]
    problem = (await call(server, method, path, body, status)).json()
    assert set(problem) == {"code", "message"}
    assert words in problem["message"]
    assert (await call(server, "GET", "/sessions")).json()["total"] == before


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b'"x"', b"[" * 50_000])
async def test_a_body_that_is_no_object_is_refused(server, body):
    for path in ("/api/v1/sessions", "/api/v1/login"):
        answer = await http(server, "POST", path, token=TOKEN, body=body)
        too_large = path == "/api/v1/login" and len(body) > 4096
        assert answer.status in ((413,) if too_large else (400, 422)), answer
        assert set(answer.json()) == {"code", "message"}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"cols": 501}, 422, "out_of_range"),
        ({"rows": 0}, 422, "out_of_range"),
        ({"name": ""}, 422, "out_of_range"),
        ({"user": "me"}, 422, "malformed_message"),
    ],
)
async def test_a_bad_change_is_refused_and_changes_nothing(server, change, status, code):
    async with attached(server) as (_, answer):
        there = f"/sessions/{answer['session']}"
        assert (await call(server, "PATCH", there, change, status)).json()["code"] == code
        now = (await call(server, "GET", there)).json()
        assert (now["name"], now["cols"], now["rows"]) == (answer["name"], 80, 24)
        unknown = await call(server, "POST", there + "/signal", {"name": "SIGFOO"}, 422)
        assert unknown.json()["code"] == "unknown_signal"


async def test_limits_of_sessions_hold_over_both_ways_and_any_worker():
    with serving("--max-sessions", "3", "--workers", "2", "--linger", "0") as server:
        made = [(await call(server, "POST", "/sessions", {}, 201)).json()["id"] for _ in range(3)]
        problem = (await call(server, "POST", "/sessions", {}, 429)).json()
        assert problem["code"] == "session_limit"
        assert "3 sessions" in problem["message"]
        async with websocket(server) as socket:
            await socket.heard("authenticated")
            socket.say(type="attach")
            code, _, (error,) = await socket.closed()
            assert (code, error["code"]) == (4429, "session_limit")
        await call(server, "DELETE", f"/sessions/{made[0]}", status=204)
        await call(server, "POST", "/sessions", {}, 201)


async def test_health_and_who_i_am(either):
    health = (await call(either, "GET", "/health")).json()
    assert health["status"] == "ok"
    assert (await call(either, "GET", "/me")).json() == {"user": "owner", "role": "owner"}


async def test_metrics_count_what_happened_in_every_worker(based):
    async def values() -> dict[str, float]:
        text = (await call(based, "GET", "/metrics")).body.decode()
        return {
            " ".join((sample.name.removeprefix("web_terminal_"), *sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    before = await values()
    async with connect(based.url) as first, connect(based.url) as second, connect(based.url) as third:
        session = (await first.attach()).session
        for each in (second, third):
            await each.attach(session)
        await first.run("echo hello")
        during = await values()
        assert during["connections"] == before["connections"] + 3
        assert during["sessions running"] == before["sessions running"] + 1
        assert during["sessions_created_total"] == before["sessions_created_total"] + 1
        assert during["input_bytes_total"] > before["input_bytes_total"]
        assert during["output_bytes_total"] > before["output_bytes_total"]
        await call(based, "POST", "/sessions", {"shell": "/no/such"}, 422)
        assert (await values())["spawn_failures_total"] == before["spawn_failures_total"] + 1
        await first.close(destroy=True)
    assert (await call(based, "GET", "/metrics")).header("content-type").startswith("text/plain")


async def test_the_openapi_document_describes_what_is_served(either):
    document = (await call(either, "GET", "/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    assert document["info"]["title"] == "web-terminal"
    base = "/term" if "/term" in either.url else ""
    operations = {
        (method, path.removeprefix(f"{base}/api/v1")) for path, item in document["paths"].items() for method in item
    }
    assert operations == {
        ("post", "/login"), ("post", "/logout"), ("get", "/me"), ("post", "/sessions"), ("get", "/sessions"),
        ("get", "/sessions/{id}"), ("patch", "/sessions/{id}"), ("delete", "/sessions/{id}"),
        ("post", "/sessions/{id}/touch"), ("post", "/sessions/{id}/signal"), ("get", "/health"), ("get", "/metrics"),
        ("get", "/health/live"), ("get", "/users"), ("get", "/tokens"), ("delete", "/tokens/{id}"),
    }  # fmt: skip
    # Every reference leads somewhere.
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        at = document
        for key in reference.split("/"):
            at = at[key.replace("~1", "/").replace("~0", "~")]
    assert set(document["components"]["securitySchemes"]) == {"token", "cookie"}


async def test_the_openapi_document_says_what_a_refusal_looks_like(server):
    document = (await call(server, "GET", "/openapi.json")).json()
    problem = {"$ref": "#/components/schemas/Problem"}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert answer["content"]["application/json"]["schema"] == problem, (method, path, status)
    refused = (await call(server, "GET", "/sessions/none", status=404)).json()
    assert set(refused) == set(document["components"]["schemas"]["Problem"]["properties"])
    create = document["paths"]["/api/v1/sessions"]["post"]
    assert create["requestBody"]["required"] is False
    assert set(create["responses"]) >= {"201", "400", "401", "403", "413", "422", "429", "500", "503"}
    assert document["paths"]["/api/v1/login"]["post"]["requestBody"]["required"] is True


def test_the_documents_list_every_operation_with_its_status():
    text = DOCUMENT.read_text().split("\n## REST\n")[1]
    rows = re.findall(r"^\| `([A-Z]+) /api/v1(/\S*)` \|.*\| (\d+)[^|]*\|$", text, re.MULTILINE)
    assert sorted(rows) == sorted((each.method, each.path, str(each.status)) for each in OPERATIONS)


async def test_everything_lies_under_the_base_path(based):
    for path in ("/api/v1/health", "/api/v1/sessions", "/"):
        assert (await http(based, "GET", path, token=TOKEN)).status == 404
    for path in ("/ws", "/term/term/ws"):
        async with websocket(based, path=path) as socket:
            assert socket.answer.status == 404
    async with websocket(based, path="/term/ws?x=1") as socket:
        assert socket.answer.status == 101
    for path in ("/termapi/v1/health", "/term/api/v2/health", "/terminal/"):
        assert (await http(based, "GET", path)).status == 401
    page = await http(based, "GET", "/term/")
    assert page.status in (200, 503)
    if page.status == 200:  # its references are relative to the directory
        there = await http(based, "GET", "/term")
        assert (there.status, there.header("location")) == (307, "/term/")


async def test_a_stopping_server_says_so_or_is_gone():
    with serving() as server:
        async with connect(server.url) as connection:
            await connection.attach()
            server.process.terminate()
            for _ in range(1000):
                try:
                    answer = await http(server, "GET", "/api/v1/health")
                except OSError:
                    break
                except asyncio.IncompleteReadError:
                    break
                if answer.status == 503:
                    break
            else:
                pytest.fail("the server went on as if nothing had been said")
