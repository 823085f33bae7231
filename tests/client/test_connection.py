"""The connection against the null server, the real one, and a server that misbehaves as told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import picows
import pytest

from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.client.errors import Closed, Refused, TimedOut, Unreachable, Violated
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Subprotocol, encode, encode_output

BOTH = pytest.mark.parametrize("subprotocol", list(Subprotocol))
TEXT, BINARY, MORE = picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION


@asynccontextmanager
async def scripted(*frames):
    """A server that greets, and answers the first attach with ``frames``: (type, payload, fin), or a close code."""

    class Script(picows.WSListener):
        def on_ws_connected(self, transport):
            status = m.ConnectionStatus(status="ready", subprotocol="", version="0", limits=m.Limits())
            for message in (status, m.Authenticated(user="u", role="owner")):
                transport.send(TEXT, encode(message).payload)

        def on_ws_frame(self, transport, frame):
            if frame.msg_type == picows.WSMsgType.CLOSE:
                transport.disconnect()
            elif b'"close"' in frame.get_payload_as_bytes():
                transport.send_close(picows.WSCloseCode.OK)
            elif b'"attach"' in frame.get_payload_as_bytes():
                for each in frames:
                    if isinstance(each, int):
                        transport.send_close(each, "as told")
                    else:
                        transport.send(each[0], each[1], each[2])

    def accept(request):
        headers = {"Sec-WebSocket-Protocol": Subprotocol.BINARY.value}
        response = picows.WSUpgradeResponse.create_101_response(headers)
        return picows.WSUpgradeResponseWithListener(response, Script())

    server = await picows.ws_create_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


def attached(offset=0, window=1 << 17):
    return encode(
        m.Attached(session="s", name="s", offset=offset, end=offset, cols=80, rows=24, mode="write", window=window)
    ).payload


def output(offset, data):
    return encode_output(Subprotocol.BINARY, offset, data).payload


@pytest.fixture
async def null():
    async with NullServer().launch() as running:
        yield running


@BOTH
async def test_the_null_server_answers_all_a_suite_asks(null, subprotocol):
    async with connect(null.addresses[0], dialect=lambda: NativeDialect(subprotocol)) as connection:
        await connection.attach()
        await connection.wait_for(b"$ ")
        sent_ns, reply = await connection.echo(b"hello")
        assert reply.event.data == b"hello"
        assert reply.seen_ns > sent_ns
        _, reply = await connection.ping(7)
        assert reply.event.id == 7
        connection.input(b"printf '%s%s' ab cd\r")
        found = await connection.wait_for(b"abcd", keep=True)
        assert found.output.endswith(b"ab cd\r\n")
        for number in range(100):
            connection.send_echo(b"%d" % number)
        replies = await connection.replies(100)
        assert [each.event.data for each in replies] == [b"%d" % number for number in range(100)]
        connection.input(b"exit\r")
        assert (await connection.wait_exit()).status == 0


async def test_fragments_are_put_together():
    whole = output(0, b"hello")
    frames = [
        (TEXT, attached(), True),
        (BINARY, whole[:3], False),
        (MORE, whole[3:10], False),
        (MORE, whole[10:], True),
    ]
    async with scripted(*frames) as url, connect(url) as connection:
        await connection.attach()
        assert (await connection.read()).data == b"hello"


async def test_a_hole_in_the_output_is_a_violation_and_a_gap_is_none():
    gap = encode(m.Gap(start=5, end=100)).payload
    good = [(TEXT, attached(), True), (BINARY, output(0, b"12345"), True), (TEXT, gap, True)]
    async with scripted(*good, (BINARY, output(100, b"x"), True)) as url, connect(url) as connection:
        await connection.attach()
        assert [(await connection.read()).offset for _ in range(2)] == [0, 100]
        assert connection.gaps == [m.Gap(start=5, end=100)]
    async with scripted(*good, (BINARY, output(101, b"x"), True)) as url, connect(url) as connection:
        await connection.attach()
        with pytest.raises(Violated, match="offset 101, expected 100"):
            await connection.wait_for(b"x")


@pytest.mark.parametrize("code", [1001, 1012, 4000, 4404])
async def test_close_codes_reach_whoever_waits(code):
    async with scripted(code) as url, connect(url) as connection:
        with pytest.raises(Closed, match="as told") as closed:
            await connection.attach()
    assert closed.value.code == code


async def test_garbage_is_a_violation():
    async with scripted((TEXT, b"{", True)) as url, connect(url) as connection:
        with pytest.raises(Violated, match="not JSON"):
            await connection.attach()


async def test_every_wait_has_a_limit():
    async with scripted() as url, connect(url, timeout=0.05) as connection:
        with pytest.raises(TimedOut, match="answer to attach"):
            await connection.attach()
        connection.abort()


async def test_acknowledgements_follow_what_was_read_and_can_be_turned_off(server):
    for acknowledge in (True, False):
        async with connect(server.url, acknowledge=acknowledge) as connection:
            await connection.attach(window=16384)
            connection.input(b"yes | head -c 100000; printf '%s%s' do ne\r")
            if acknowledge:
                await connection.wait_for(b"done")
                assert connection.acknowledged > 100_000
            else:
                # Nothing is acknowledged, so no more than a window comes.
                await connection.message(m.FlowControl)
                assert connection.offset <= 16384
                assert connection.acknowledged == 0
            await connection.close(destroy=True)


async def test_output_goes_on_where_it_stopped(server):
    async with connect(server.url) as connection:
        await connection.attach()
        await connection.run("echo before")
        connection.input(b"printf '%s%s' mis sed\r")
        await connection.wait_for(b"missed")
        offset = connection.offset
        connection.abort()
        again = await connection.reconnect()
        assert again.offset == offset
        assert (await connection.run("echo after")).output == b"after\r\n"
        await connection.close(destroy=True)


async def test_output_can_be_iterated_to_its_end(server):
    async with connect(server.url) as connection:
        await connection.attach()
        connection.input(b"printf '%s%s' la st; exit 4\r")
        received = b"".join([chunk async for chunk in connection])
        assert b"last" in received
        assert connection.exit.status == 4


async def test_credentials_in_the_handshake_and_in_a_message(server):
    for in_band in (False, True):
        async with connect(server.url, dialect=lambda way=in_band: NativeDialect(in_band=way)) as connection:
            assert connection.dialect.ready
    with pytest.raises((Refused, Closed)):
        async with connect(server.url, token="certainly not the token"):
            pytest.fail("let in with a wrong token")


async def test_nobody_there():
    with pytest.raises(Unreachable):
        async with connect("ws://127.0.0.1:1/ws"):
            pytest.fail("connected to a closed port")


async def test_a_server_that_only_listens_is_not_waited_for():
    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        with pytest.raises(TimedOut, match="handshake"):
            async with connect(f"ws://127.0.0.1:{port}/ws", timeout=0.1):
                pytest.fail("there was no handshake")


async def test_one_reader_at_a_time(null):
    async with connect(null.addresses[0]) as connection:
        await connection.attach()
        first = asyncio.create_task(connection.wait_for(b"never", 5))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await connection.wait_for(b"too")
        first.cancel()


async def test_it_dials_from_the_address_it_is_told(null):
    async with connect(null.addresses[0], source="127.0.0.3") as connection:
        transport = connection._transport.underlying_transport
        assert transport.get_extra_info("sockname")[0] == "127.0.0.3"
        _, reply = await connection.echo(b"from there")
        assert reply.event.data == b"from there"


async def test_an_address_that_is_not_ours_is_unreachable_from(null):
    with pytest.raises(Unreachable, match=r"192\.0\.2\.1"):
        async with connect(null.addresses[0], source="192.0.2.1"):
            pass


async def test_frames_made_beforehand_go_out_in_one_write_while_the_connection_lives(null):
    # RFC 6455 section 5.2: final binary frame, masked with a key of zeros, so the payload stays as it is.
    async with connect(null.addresses[0]) as connection:
        frames = [connection.dialect.echo(data).payload for data in (b"one", b"two")]
        two = b"".join(b"\x82" + bytes((0x80 | len(each),)) + bytes(4) + each for each in frames)
        sent_ns = connection.send_framed(two)
        replies = await connection.replies(2)
        assert [each.event.data for each in replies] == [b"one", b"two"]
        assert sent_ns < replies[0].seen_ns
        connection.abort()
        with pytest.raises(Closed):
            connection.send_framed(two)


async def test_a_round_trip_that_nobody_answers_has_its_limit_and_can_be_done_again(null):
    async with scripted() as url, connect(url) as connection:
        with pytest.raises(TimedOut, match=r"answer to echo or ping within 0\.05 s"):
            await connection.echo(b"anybody?", 0.05)
        with pytest.raises(TimedOut, match="answer to echo or ping"):
            await connection.ping(1, 0.05)
        connection.abort()
        with pytest.raises(Closed):
            await connection.echo(b"anybody?")


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.data = b""
        self.over = asyncio.Event()

    def heard(self, chunk):
        self.data += chunk.data

    def ended(self):
        self.over.set()


async def test_a_listener_hears_what_came_before_what_comes_and_the_end(server):
    listener = Heard()
    async with connect(server.url) as connection:
        await connection.attach(window=16384)
        # One write, so that what is behind the marker has come with it.
        connection.input(b"printf '%s%s' on cemark\r")
        await connection.wait_for(b"once")
        connection.hand_to(listener)
        # More than a window, so it only comes whole if what is heard is acknowledged.
        connection.input(b"yes | head -c 100000; printf '%s%s' en d; exit\r")
        await asyncio.wait_for(listener.over.wait(), 10)
        assert listener.data.startswith(b"mark")
        assert listener.data.rstrip().endswith(b"end")
        connection.hand_to(None)
        assert await connection.read() is None


async def test_a_listener_is_told_that_the_connection_is_gone(null):
    early, late = Heard(), Heard()
    async with connect(null.addresses[0]) as connection:
        await connection.attach()
        connection.hand_to(early)
        assert not early.over.is_set()
        connection.abort()
        assert early.over.is_set()
        connection.hand_to(late)
        assert late.over.is_set()


async def test_a_listener_and_a_reader_exclude_each_other(null):
    async with connect(null.addresses[0]) as connection:
        await connection.attach()
        waiting = asyncio.create_task(connection.wait_for(b"never"))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task reads"):
            connection.hand_to(Heard())
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_what_a_listener_calls_wrong_ends_the_connection():
    class Strict(Heard):
        def heard(self, chunk):
            raise Violated("not what was typed")

    frames = [(TEXT, attached(), True), (BINARY, output(0, b"hello"), True)]
    async with scripted(*frames) as url, connect(url) as connection:
        strict = Strict()
        connection.hand_to(strict)
        await connection.attach()
        await asyncio.wait_for(strict.over.wait(), 10)
        assert isinstance(connection.closed, Violated)
