"""Terminals of others: the real ones where they are installed, and servers that misbehave as told."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import sys
from contextlib import asynccontextmanager

import pytest

from tests.leftovers import Leftovers
from web_terminal_suite.bench.benchmark import BenchmarkContext
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.pipeline.bench import check_running, run
from web_terminal_suite.bench.pipeline.options import BenchOptions
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.samples import Outcome
from web_terminal_suite.bench.terminals.peer import Peer, RemotePeer, _free_port
from web_terminal_suite.bench.terminals.processes import LaunchFailed, started
from web_terminal_suite.bench.terminals.registry import PEERS, UnknownTerminal, choose
from web_terminal_suite.bench.terminals.shell_environment import server_environment
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.terminals.ttyd import Ttyd
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal, WebTerminal
from web_terminal_suite.bench.workload.session_pool import session_pool
from web_terminal_suite.bench.workload.shells import ready_shell
from web_terminal_suite.bench.workload.streams import prepared, receive, text
from web_terminal_suite.bench.workload.typists import type_keys, typists
from web_terminal_suite.client.dialects.ttyd import TtydDialect
from web_terminal_suite.client.marker import Markers

EACH = pytest.mark.parametrize("name", sorted(PEERS))


def peer(name: str) -> Peer:
    found = PEERS[name]()
    if found.missing():
        pytest.skip(found.missing())
    return found


@EACH
async def test_the_real_one(name: str) -> None:
    """Started, used as a benchmark uses it, left as it was, ended whole."""
    leftovers = Leftovers()
    async with peer(name).launch() as running:
        stage = BenchmarkContext(running, "", Markers(random.Random(1)))
        empty = await running.steady_footprint()
        async with ready_shell(stage) as shell:
            result = await shell.connection.run("stty size; echo $TERM $LC_ALL $SHELL; tty")
            assert result.output.startswith(b"24 80\r\nxterm-256color C.UTF-8 /bin/sh\r\n/dev/pts/")
            shell.connection.resize(100, 30)
            assert (await shell.connection.run("stty size")).output == b"30 100\r\n"
        # Bytes are counted and hashed at this end, and at the other.
        async with ready_shell(stage) as shell:
            stream = text(1_000_000)
            async with prepared(shell, stage, stream):
                received = await receive(shell.connection, stream, stage.markers)
            assert sum(received.sizes) >= stream.size_bytes
            await _paste(shell, stage, 20_000)
        async with typists(stage, 2, "tty") as people:
            typed = await type_keys(people, 100, 40)
        assert [each.outcome for each in typed.samples] == [Outcome.OK] * 40
        async with session_pool(stage, 5) as shells:
            assert len(shells) == 5
        left, _ = await running.residue(empty)
        assert left == ""
        facts = running.terminal.facts()
        assert facts.version
        assert facts.command
        assert not facts.missing
    assert leftovers.pids() == []


async def _paste(shell, stage, count: int) -> None:
    data = (b"0123456789" * (count // 10 + 1))[:count]
    begin, end = stage.markers.fresh(), stage.markers.fresh()
    line = f"stty raw -echo; {begin.command}; head -c {count} | sha256sum; stty sane; {end.command}\r"
    shell.connection.input(line.encode())
    await shell.connection.wait_for(begin.seen)
    for first in range(0, count, 1000):
        shell.connection.input(data[first : first + 1000])
        await shell.connection.drain()
    found = await shell.connection.wait_for(b" ", keep=True)
    assert found.output == hashlib.sha256(data).hexdigest().encode()
    await shell.connection.wait_for(end.seen)


def test_one_that_is_not_installed_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    missing = Ttyd().missing()
    assert missing.startswith("ttyd is not installed; put a ttyd on PATH")
    facts = Ttyd().facts()
    assert (facts.missing, facts.version, facts.command) == (missing, "", ())


def test_terminals_are_chosen_by_name_and_by_url() -> None:
    chosen = choose(["ttyd", "web-terminal"], ["gotty=http://127.0.0.1:1/x", "http://127.0.0.1:2/#token=a=b"], "", 1)
    subjects = [each for each in chosen if each.role == "subject"]
    assert [each.name for each in subjects] == [
        "ttyd",
        "web-terminal",
        "gotty",
        "web-terminal at 127.0.0.1:2",
    ]
    assert Capability.PROCESSES not in subjects[2].capabilities
    assert subjects[2].facts().url == "ws://127.0.0.1:1/x/"
    with pytest.raises(UnknownTerminal, match="no terminal is called 'tty'; there are: ttyd"):
        choose([], ["tty=http://127.0.0.1:1/"], "", 1)
    every = [each.name for each in choose(["all", "ttyd"], [], "", 1) if each.role == "subject"]
    assert every == ["web-terminal", *PEERS]
    under = choose([], [f"http://127.0.0.1:1/{base}" for base in ("", "a", "b")], "", 1)
    assert [each.name for each in under][:3] == [
        "web-terminal",
        "web-terminal at 127.0.0.1:1",
        "web-terminal at ws://127.0.0.1:1/b/",
    ]
    with pytest.raises(ValueError, match=r"ws://127\.0\.0\.1:1/ is named twice"):
        choose([], [f"ttyd=http://127.0.0.1:1/{slash}" for slash in ("", "/", "//", "///")], "", 1)
    with pytest.raises(ValueError, match="is not a URL of a terminal"):
        choose([], ["ttyd=127.0.0.1"], "", 1)


# A server that speaks ttyd's wire as far as it is told to, over plain sockets: what a peer may do wrong.
_SERVER = """
import asyncio, base64, hashlib, sys
mode, port = sys.argv[1], int(sys.argv[2])
async def serve(reader, writer):
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode()
    if mode == "hang": return await asyncio.sleep(3600)
    if mode == "refuse":
        writer.write(b"HTTP/1.1 401 Unauthorized\\r\\nContent-Length: 0\\r\\n\\r\\n"); return writer.close()
    key = next(line.split(": ")[1] for line in head.split("\\r\\n") if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    writer.write(f"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                 f"Sec-WebSocket-Accept: {accept}\\r\\nSec-WebSocket-Protocol: tty\\r\\n\\r\\n".encode())
    frame = lambda data: writer.write(bytes([0x82, len(data)]) + data)
    await reader.read(1000)
    if mode == "garbage": frame(b"9what is this"); return await asyncio.sleep(3600)
    if mode == "die": sys.exit(3)
    frame(b"1title"); frame(b"2{}"); frame(b"0$ ")
    await asyncio.sleep(3600)
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()
asyncio.run(main())
"""


class Misbehaving(Peer):
    name = "misbehaving"
    abilities = frozenset()
    remedy = "nobody wants it"

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def dialect(self):
        return TtydDialect()

    def version(self) -> str:
        return self.mode

    def command(self, port: int):
        return (sys.executable, "-c", _SERVER, self.mode, str(port))


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("refuse", "the server answered 401: it wants credentials"),
        ("garbage", "frame of kind b'9'"),
        ("die", "the server ended with 3"),
    ],
)
async def test_one_that_does_not_do_what_it_should_is_told_of(mode: str, words: str) -> None:
    leftovers = Leftovers()
    with pytest.raises(LaunchFailed, match=words):
        async with Misbehaving(mode).launch():
            pytest.fail("was taken for ready")
    assert leftovers.pids() == []


async def test_a_running_one_elsewhere_is_measured_by_url() -> None:
    with pytest.raises(LaunchFailed, match=r"ttyd: 127\.0\.0\.1:1: "):
        async with RemotePeer(Ttyd(), "http://127.0.0.1:1/").launch():
            pytest.fail("was taken for ready")
    async with peer("terminado").launch() as here:
        url = f"http://{here.addresses[0].authority}/"
        async with RemotePeer(PEERS["terminado"](), url).launch() as running, running.connect() as connection:
            await connection.attach()
            assert (await connection.run("echo far")).output == b"far\r\n"
            assert running.process is None


@asynccontextmanager
async def terminado_running(shell: str, home: str, prompt: str):
    """A server that somebody started with a prompt of their own; its URL and process."""
    environment = {**server_environment(), "PS1": prompt, "HOME": home}
    port = _free_port()
    async with started((*PEERS["terminado"]().command(port)[:-1], shell), environment) as process:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)  # terminado says nothing once it listens
        writer.close()
        yield f"http://127.0.0.1:{port}/", process


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "fish"])
@pytest.mark.parametrize("prompt", ["# ", "% ", "\u276f ", ""], ids=["root", "zsh", "starship", "none"])
async def test_a_shell_is_proven_whatever_its_prompt(shell: str, prompt: str, tmp_path) -> None:
    peer("terminado")
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    async with terminado_running(path, str(tmp_path), prompt) as (url, process):
        async with RemotePeer(PEERS["terminado"](), url).launch() as running:
            assert running.posix_shell == (shell in ("dash", "bash"))
            async with ready_shell(BenchmarkContext(running, "", Markers(random.Random(1)))) as ready:
                assert (await ready.connection.run("echo far")).output == b"far\r\n"
        await _none_left(process)


async def test_a_shell_that_computes_its_prompt_each_time_is_replaced(tmp_path) -> None:
    peer("terminado")
    (tmp_path / ".bashrc").write_text("PROMPT_COMMAND='PS1=\"$(date +%N) \"'\n")
    async with terminado_running("/bin/bash", str(tmp_path), "") as (url, process):
        async with RemotePeer(PEERS["terminado"](), url).launch() as running:
            assert not running.posix_shell
            async with ready_shell(BenchmarkContext(running, "", Markers(random.Random(1)))) as ready:
                assert (await ready.connection.run("echo far; echo $0")).output == b"far\r\n/bin/sh\r\n"
        await _none_left(process)


async def test_a_probe_that_gives_up_leaves_nothing_on_the_server(tmp_path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    peer("terminado")
    async with terminado_running(str(silent), str(tmp_path), "") as (url, process):
        with pytest.raises(LaunchFailed, match=r"no answer of a shell to \"printf '%s%s' .*\" within 10 s"):
            async with RemotePeer(PEERS["terminado"](), url).launch():
                pytest.fail("was taken for a shell")
        await _none_left(process)
    command = WebTerminal(("--shell", str(silent))).command
    async with started(command, {**server_environment(), "WEB_TERMINAL_TOKEN": "t" * 32}) as process:
        line = await process.line("listening on http", 30)
        url = next(word for word in line.split() if word.startswith("http"))
        with pytest.raises(LaunchFailed, match="no answer of a shell"):
            async with RemoteWebTerminal(url, "t" * 32).launch():
                pytest.fail("was taken for a shell")
        await _none_left(process)


async def _none_left(process) -> None:
    async with asyncio.timeout(10):
        while process.shell_pids():
            await asyncio.sleep(0.01)  # /proc tells of no end


async def test_a_server_of_another_protocol_is_told_at_once(tmp_path) -> None:
    peer("terminado")
    async with terminado_running("/bin/sh", str(tmp_path), "$ ") as (url, _):
        with pytest.raises(OptionsError, match=r"^--url: .* answered 404; it may be another's: --url terminado=URL"):
            await check_running(choose([], [url], "", 1))
        await check_running(choose([], [f"terminado={url}"], "", 1))


def test_nothing_is_measured_where_a_url_does_not_answer() -> None:
    said = []

    class Said(NoProgress):
        def begin(self, slot) -> None:
            said.append(slot)

    with pytest.raises(OptionsError, match=r"^--url: ttyd: 127\.0\.0\.1:1: .*; asked at ws://127\.0\.0\.1:1/ws$"):
        run(BenchOptions(filters=("execute_echo_simple",), urls=("ttyd=http://127.0.0.1:1/",)), progress=Said())
    assert said == []


def test_plain_stands_for_any_server_of_text_frames() -> None:
    (first, *_) = choose([], ["plain=http://127.0.0.1:1/terminal"], "", 1)
    assert (first.name, first.facts().url) == ("plain", "ws://127.0.0.1:1/terminal/")
