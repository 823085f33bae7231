"""The server of the bare page prints what a shell prints, and its page is reached as any terminal's."""

from __future__ import annotations

import asyncio
import subprocess
import urllib.error
import urllib.request

import pytest

from web_terminal_suite.bench.browser.bare_page import BarePage, BarePageDriver
from web_terminal_suite.bench.browser.bare_server import BareViewer, printed
from web_terminal_suite.bench.browser.outputs import BARS, FUNCTION, OUTPUTS, written
from web_terminal_suite.bench.terminals.terminal import Running
from web_terminal_suite.client.address import Address


class Transport:
    """Keeps what a viewer sends."""

    def __init__(self) -> None:
        self.sent = b""

    def send_reuse_external_bytearray(self, kind, frame, at):
        self.sent += bytes(frame[at:])


def typed(*pieces: bytes) -> bytes:
    viewer, transport = BareViewer(), Transport()
    for each in pieces:
        viewer._type(transport, each)
    return transport.sent


def shell(line: str) -> bytes:
    """What a POSIX shell prints, as a terminal adds line ends to it."""
    return subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True).stdout.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    "line",
    [
        "stty -a >/dev/null 2>&1; printf '%s%s' left right; echo >/dev/null",
        f"yes \"$(printf '{BARS}')\" 2>/dev/null | head -n 25; printf '%s%s' a b",
        r"printf '\033[m\033[H'",
    ],
)
def test_a_line_prints_what_it_prints_in_a_shell(line):
    assert printed(line) == shell(line)


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_is_what_a_shell_writes_and_as_long_as_it_says(name):
    definition = OUTPUTS[name].definition(20_000)
    wanted = shell(f"{definition}; {FUNCTION} ab cd")
    assert typed(f"{definition}; printf '%s%s' x y\r".encode()).endswith(b"\r\nxy$ ")
    assert typed(f"{definition}\r".encode(), f"{FUNCTION} ab cd\r".encode()).endswith(wanted + b"$ ")
    line = len(written(OUTPUTS[name].line)) + 2
    assert 20_000 - line < OUTPUTS[name].lines(20_000) * line <= 20_000


def test_keys_are_echoed_and_a_line_is_taken_back():
    assert typed(b"ab", b"\x15", b"c") == b"ab" + b"\b \b" * 2 + b"c"


def test_a_program_that_redraws_does_so_at_each_size():
    viewer, transport = BareViewer(), Transport()
    viewer._resize(transport, "80x24")
    assert transport.sent == b""
    viewer._type(transport, b"trap '' WINCH\r")
    transport.sent = b""
    viewer._resize(transport, "80x24")
    viewer._resize(transport, "100x30")
    assert b"24 80 1." in transport.sent
    assert transport.sent.endswith(b"30 100 2.")


def test_its_address_names_the_port_of_its_socket():
    running = Running(BarePage(), (Address("127.0.0.1", 1), Address("127.0.0.1", 2)))
    assert BarePageDriver().url(running) == "http://127.0.0.1:1/#2"


async def test_its_files_are_served_and_no_others():
    if BarePage().missing():
        pytest.skip("the page is not built")
    async with BarePage().launch() as running:
        url = f"http://{running.addresses[0].authority}/"
        head = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())
        assert b"Bare xterm.js" in head
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await asyncio.to_thread(urllib.request.urlopen, url + "bare_server.py")
