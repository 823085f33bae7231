"""One suite for both paths of a keystroke: the slow path in Python and the compiled fast path.

The fast path leaves to the slow one what is not simple. What a client sees is the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import serving
from tests.server import raw
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed
from web_terminal_suite.client.rest import rest
from web_terminal_suite.protocol.codec import Frame, Subprotocol
from web_terminal_suite.protocol.messages import Error, FlowControl
from web_terminal_suite.server.session import SHARED_TURN_BYTES, TYPING_SECONDS
from web_terminal_suite.server.worker import outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serving

PATHS = {"slow": {"PURE_PYTHON": "1"}, "fast": {}}
LOG_BYTES = 64 * 1024


@pytest.fixture(scope="module", params=PATHS)
def small(request) -> Iterator[Serving]:
    """A server with the smallest log, so that the ring wraps soon."""
    if request.param == "fast" and outbox.WHY_SLOW:
        pytest.skip(f"there is no fast path here: {outbox.WHY_SLOW}")
    flags = ("--log-size", str(LOG_BYTES), "--window", str(LOG_BYTES // 2))
    with serving(*flags, env=PATHS[request.param]) as each:
        assert says(each, "compiled" if request.param == "fast" else "none (PURE_PYTHON is set)")
        yield each


def says(server: Serving, what: str) -> bool:
    """The worker says it before it is ready, but its words come through another pipe than the server's URL."""
    while not any("fast path: " in line for line in server.log):
        assert server.process.poll() is None
    return any(f"fast path: {what}" in line for line in server.log)


async def echoing(connection) -> None:
    """Every byte typed from now on comes back once, from the kernel."""
    connection.input(b"stty -icanon min 1; printf '%s%s' re ady; cat > /dev/null\r")
    await connection.wait_for(b"ready")


async def typed(connection, data: bytes) -> None:
    """Type ``data`` key by key, each when the last has come back."""
    for at in range(len(data)):
        connection.input(data[at : at + 1])
        found = await connection.read()
        assert found is not None
        assert found.data == data[at : at + 1]


async def test_keys_come_back_in_order_across_the_end_of_the_ring(small):
    async with connect(small.url) as connection:
        await connection.attach()
        await echoing(connection)
        # Sixteen at a time, often enough to go round the ring more than once.
        block = bytes(range(ord("a"), ord("q")))
        rounds = LOG_BYTES // len(block) + 600
        for _ in range(rounds):  # in step, for a terminal whose echo nobody takes drops it
            connection.input(block)
            got = b""
            while len(got) < len(block):
                chunk = await connection.read()
                assert chunk is not None
                got += chunk.data
            assert got == block
        expected = block * rounds
        # The log has the same: whoever comes later gets the end of it.
        async with connect(small.url) as late:
            attached = await late.attach(connection.session)
            replayed = b""
            while late.offset < attached.end:
                chunk = await late.read()
                replayed += chunk.data
            assert len(replayed) > LOG_BYTES // 2
            assert expected.endswith(replayed)
        await connection.close(destroy=True)


async def test_a_flood_arrives_whole_and_stops_for_a_viewer_who_does_not_read(small):
    async with connect(small.url) as connection:
        await connection.attach()
        result = await connection.run("seq 1 60000", timeout=60)
        assert result.output == b"".join(b"%d\r\n" % n for n in range(1, 60001))
        await connection.close(destroy=True)
    async with connect(small.url, acknowledge=False) as slow:
        attached = await slow.attach()
        slow.command("seq 1 60000")
        # Nothing is acknowledged, so no more than a window comes; the server says that the program waits.
        while (await slow.message(FlowControl))[1].state != "paused":
            pass
        assert slow.offset <= attached.window
        await slow.close(destroy=True)


async def test_a_flood_is_read_in_small_pieces_while_another_session_is_typed_into(small):
    async with connect(small.url) as flood, connect(small.url) as typist:
        await flood.attach()
        await typist.attach()
        await echoing(typist)
        flood.input(
            b"stty -opost -echo; printf '%s%s' re ady; while read x; do sleep 0.2; head -c 65536 /dev/zero; done\r"
        )
        await flood.wait_for(b"ready")
        async with asyncio.timeout(60):
            while True:  # once more where the machine took longer than the server goes on expecting keys
                flood.input(b"\n")
                started = asyncio.get_running_loop().time()
                await typed(typist, b"k")
                sizes, end = [], flood.offset + 65536
                while flood.offset < end:
                    chunk = await flood.read()
                    sizes.append(len(chunk.data))
                if asyncio.get_running_loop().time() - started < TYPING_SECONDS:
                    break
        assert max(sizes) <= SHARED_TURN_BYTES
        await flood.close(destroy=True)
        await typist.close(destroy=True)


async def test_another_viewer_and_its_leaving_change_nothing(small):
    async with connect(small.url) as first:
        await first.attach()
        await echoing(first)
        await typed(first, b"abc")
        async with connect(small.url) as second:
            await second.attach(first.session, resume_from=first.offset)
            await typed(second, b"de")
            assert (await first.read()).data + (await first.read()).data == b"de"
            await typed(first, b"f")
            assert (await second.read()).data == b"f"
            await second.close()
        await typed(first, b"ghi")
        async with connect(small.url) as watcher:
            await watcher.attach(first.session, resume_from=first.offset, mode="read")
            await typed(first, b"jk")
            assert (await watcher.read()).data[:1] == b"j"
        await first.close(destroy=True)


async def test_what_is_not_a_key_takes_the_slow_path(small):
    async with connect(small.url) as connection:
        await connection.attach()
        await echoing(connection)
        paste = b"0123456789" * 100
        connection.input(paste)
        got = b""
        while len(got) < len(paste):
            got += (await connection.read()).data
        assert got == paste
        connection.input(b"")  # an input of nothing
        connection.send_frame(Frame(False, b"\x03echo"))
        (reply,) = await connection.replies(1)
        assert reply.event.data == b"echo"
        await typed(connection, b"z")
        connection.send_frame(Frame(False, b"\x09"))
        with pytest.raises(Closed, match="1003"):
            await connection.read()
    async with rest(small.url) as api:
        await api.call("DELETE", f"/sessions/{connection.session}")


@pytest.mark.parametrize("size", [20_000, 200_000])  # the kernel takes the first whole
async def test_ctrl_c_passes_a_paste_that_the_program_does_not_read(small, size):
    async with connect(small.url) as connection:
        await connection.attach()
        connection.input(b"stty -echo; sh -c \"printf '%s%s' re ady; exec sleep 300\"\r")
        await connection.wait_for(b"ready")
        connection.input(b"echo from-the-paste\r" * (size // 20))
        connection.input(b"\x03")
        if size > 65536:
            _, paused = await connection.message(FlowControl)
            _, resumed = await connection.message(FlowControl)
            assert [(each.direction, each.state) for each in (paused, resumed)] == [
                ("input", "paused"),
                ("input", "resumed"),
            ]
            _, error = await connection.message(Error)
            assert (error.code, error.fatal) == ("input_overflow", False)
            dropped = int(error.message.split()[0])
            assert 100_000 < dropped < size
        connection.input(b"stty echo; printf '%s%s' do ne\r")
        found = await connection.wait_for(b"done", keep=True)
        assert b"from-the-paste" not in found.output
        await connection.close(destroy=True)


@pytest.mark.parametrize("subprotocol", [each.value for each in Subprotocol])
async def test_what_came_together_is_answered_in_order(small, subprotocol):
    async with raw.attached(small, subprotocol=subprotocol) as (socket, _):
        sizes = (1, 200, 60_000, 3, 20_000, 20_000, 7)  # some do not fit together, one fits nowhere
        sent = b""
        for number, size in enumerate(sizes, 1):
            data = json.dumps({"type": "echo", "data": "x" * size}).encode()
            sent += raw.framed(raw.TEXT, data) + raw.framed(raw.PING, b"%d" % number)
            sent += raw.framed(raw.TEXT, b'{"type":"ping","id":%d}' % number)
        socket.writer.write(sent + raw.framed(raw.CLOSE, (1000).to_bytes(2, "big")))
        found = []
        while (frame := await socket.frame())[0] != raw.CLOSE:
            if frame[0] == raw.PONG:
                found.append(int(frame[1]))
            elif frame[0] == raw.TEXT:
                message = json.loads(frame[1])
                if message["type"] == "echo":
                    found.append(len(message["data"]))
                elif message["type"] == "pong":
                    found.append(-message["id"])
        assert found == [each for number, size in enumerate(sizes, 1) for each in (size, number, -number)]


async def test_a_broken_message_behind_others_leaves_the_next_connection_alone(small):
    async with raw.ready(small, subprotocol="web-terminal.v1") as broken:
        good = raw.framed(raw.BINARY, b"\x03echo")
        broken.writer.write(good * 3 + raw.framed(raw.BINARY, b"\x03echo", masked=False))
        assert (await broken.closed())[0] == 1002
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):  # a close frame is the last
            await broken.frame()
    async with raw.ready(small, subprotocol="web-terminal.v1") as other:
        other.writer.write(raw.framed(raw.BINARY, b"\x03one") + raw.framed(raw.BINARY, b"\x03two"))
        assert [await other.frame(), await other.frame()] == [(raw.BINARY, b"\x03one"), (raw.BINARY, b"\x03two")]


@pytest.mark.parametrize(
    ("ack", "error"),
    [
        (b'{"type":"ack","offset":%d}', ""),
        (b'{ "offset": %d, "type": "ack" }', ""),
        (b'{"type":"ack","offset":0}', ""),
        (b'{"type":"ack","offset":9999999}', "out_of_range"),
        (b'{"type":"ack","offset":99999999999999999999}', "out_of_range"),
        (b'{"type":"ack","offset":007}', "malformed_message"),
        (b'{"type":"ack","offset":-1}', ""),
        (b'{"type":"ack","offset":}', "malformed_message"),
        (b'{"type":"ack","offset":1.5}', "malformed_message"),
    ],
)
async def test_an_acknowledgement_means_the_same_in_whatever_form_it_is_written(small, ack, error):
    async with raw.attached(small, subprotocol="web-terminal.v1") as (socket, _):
        socket.send(raw.BINARY, b"\x02printf '%s%s' 12 34\r")
        shown = b""
        while b"1234" not in shown:
            opcode, payload = await socket.frame()
            shown += payload[9:] if opcode == raw.BINARY else b""
        socket.send(raw.TEXT, ack % len(shown) if b"%d" in ack else ack)
        if error == "malformed_message":
            assert (await socket.closed())[2][0]["code"] == error
            return
        if error:
            assert (await socket.heard("error"))["code"] == error
        socket.say(type="ping", id=7)
        assert (await socket.heard("pong"))["id"] == 7


async def test_a_shell_that_ends_is_told_of_after_its_last_byte(small):
    async with connect(small.url) as connection:
        await connection.attach()
        connection.input(b"printf '%s%s' la st; exit 5\r")
        await connection.wait_for(b"last")
        exited = await connection.wait_exit()
        assert (exited.status, exited.offset) == (5, connection.offset)


def test_the_slow_path_serves_where_nothing_was_compiled():
    program = (
        "import sys; sys.modules['web_terminal_suite.server.worker._fast_path'] = None\n"
        "from web_terminal_suite.server.worker import outbox\n"
        "print(outbox.FastPath, outbox.MessageListener is outbox.SlowListener, bool(outbox.WHY_SLOW))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PURE_PYTHON"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["None", "True", "True"]
