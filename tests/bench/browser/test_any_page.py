"""Pages that are known by their URL alone: typed into, or refused with a reason that can be acted on."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import pytest

from web_terminal_suite.bench.browser import chromium
from web_terminal_suite.bench.browser.drivers.any_page import AnyPage
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.browser.errors import PageFailed
from web_terminal_suite.bench.browser.keys import PageTypist
from web_terminal_suite.bench.browser.received_text import text_of
from web_terminal_suite.bench.browser.stamps import KeyStamps
from web_terminal_suite.bench.browser.tab import opened
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.network.conditions import parse
from web_terminal_suite.bench.network.terminal import Distant
from web_terminal_suite.bench.pipeline import plan
from web_terminal_suite.bench.pipeline.options import BenchOptions
from web_terminal_suite.bench.terminals.jupyterlab import JupyterLab
from web_terminal_suite.bench.terminals.processes import LaunchFailed
from web_terminal_suite.bench.terminals.registry import SUBJECTS
from web_terminal_suite.bench.terminals.remote_page import RemotePage


@asynccontextmanager
async def served(body: str, status: str = "200 OK"):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close"
            writer.write(f"{head}\r\n\r\n{body}".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/shell?x=1#y"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"0plain \xff", "0plain \N{REPLACEMENT CHARACTER}"),
        ("plain", "plain"),
        (json.dumps(["stdout", "a line"]), "stdouta line"),
        ('42["data","a line"]', "dataa line"),
        (json.dumps({"type": "output", "to": [{"data": "deep"}], "at": 3}), "outputdeep"),
        ("[not json", "[not json"),
        ("1" + base64.b64encode(b"a line").decode(), "1" + base64.b64encode(b"a line").decode() + "a line"),
        ("", ""),
    ],
)
def test_the_text_in_a_frame_of_any_protocol(payload, text):
    assert text_of(payload) == text


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("404 Not Found", r"page: HTTP 404 for /shell\?x=1$"),
        ("401 Unauthorized", r"HTTP 401 for /shell\?x=1: put user:password@ before the host"),
    ],
)
async def test_a_page_whose_server_refuses_is_told_before_anything_is_measured(status, said):
    async with served("", status) as url:
        with pytest.raises(LaunchFailed, match=said):
            async with RemotePage(url).launch():
                pass


async def test_a_page_that_logs_in_by_its_url_is_left_to_the_browser():
    async with served("", "401 Unauthorized") as url:
        terminal = RemotePage(url.replace("//", "//me:secret@"))
        async with terminal.launch() as running:
            assert AnyPage().url(running).startswith("http://me:secret@127.0.0.1:")
    assert "secret" not in terminal.facts().url


async def test_a_page_that_nobody_serves_is_told():
    async with served("") as url:
        pass
    with pytest.raises(LaunchFailed, match="asked at 127"):
        async with RemotePage(url).launch():
            pass


async def test_the_address_of_a_page_is_kept_whole_and_led_through_a_network():
    async with served("") as url:
        async with RemotePage(url).launch() as running:
            assert AnyPage().url(running) == url
        async with Distant(RemotePage(url), parse("rtt=2ms").conditions, 1).launch() as running:
            found = AnyPage().url(running)
            assert found != url
            assert found.endswith("/shell?x=1#y")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", "127.0.0.1"])
def test_what_is_no_address_of_a_page_is_refused(url):
    with pytest.raises(OptionsError, match="is not a URL of a page"):
        plan(BenchOptions(filters=("browser",), urls=(f"page={url}",)))


def test_pages_are_measured_by_the_suite_browser_only():
    with pytest.raises(OptionsError, match="web-terminal bench browser --url page=URL"):
        plan(BenchOptions(urls=("page=http://127.0.0.1:1/",)))


def test_pages_take_the_place_of_our_terminal_unless_that_is_named():
    def subjects(*urls: str, terminals: tuple[str, ...] = ()) -> list[str]:
        planned = plan(BenchOptions(filters=("browser",), urls=urls, terminals=terminals))
        return [each.name for each in planned.terminals if each.role == "subject"]

    one, other = "page=http://127.0.0.1:1/", "page=http://127.0.0.1:2/a"
    assert subjects(one) == ["page"]
    assert subjects(one, other) == ["page at 127.0.0.1:1", "page at 127.0.0.1:2/a"]
    assert subjects(one, terminals=("web-terminal", "jupyterlab")) == ["page", "web-terminal", "jupyterlab"]
    with pytest.raises(OptionsError, match="named twice"):
        subjects(one, one + "#again")


async def running_page(stack_url: str, driver: AnyPage, browser) -> None:
    async with RemotePage(stack_url).launch() as running, opened(browser) as tab:
        await driver.open(tab, running)


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_a_page_that_cannot_be_driven_says_why(chromium_path):
    driver = AnyPage(wait_seconds=0.5)
    async with chromium.started() as browser:
        async with served("<title>Sign in</title><input type=password>Who are you?") as url:
            with pytest.raises(PageFailed, match=r"asks for a password \('Sign in' at /shell shows 'Who are you\?'\)"):
                await running_page(url, driver, browser)
        async with served("<title>Docs</title>No terminal here") as url:
            with pytest.raises(PageFailed, match=r"no xterm\.js on the page within 0\.5 s .*No terminal here"):
                await running_page(url, driver, browser)
        async with served("<textarea class=xterm-helper-textarea></textarea>") as url:
            with pytest.raises(PageFailed, match=r"terminal shows nothing within 0\.5 s"):
                await running_page(url, driver, browser)


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_keys_go_into_a_page_that_is_known_by_its_url(chromium_path):
    async with SUBJECTS["web-terminal"]().launch() as server, chromium.started() as browser:
        address = server.addresses[0]
        terminal = RemotePage(f"http://{address.authority}/#token={address.token}")
        async with terminal.launch() as running, opened(browser) as tab:
            driver = DRIVERS[terminal.page]
            await driver.open(tab, running)
            await tab.type_line("echo a$((20 + 22))z; stty -icanon; cat > /dev/null")
            await driver.until_text(tab, "a42z")
            (stamp,) = await PageTypist(browser, tab, through_socket=True).type_keys(1)
            assert isinstance(stamp, KeyStamps)
            with pytest.raises(PageFailed, match=r"not echoed within 0\.2 s"):
                await AnyPage(wait_seconds=0.2).until_text(tab, "never")


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("make", [SUBJECTS["ttyd"], SUBJECTS["gotty"], SUBJECTS["wetty"], JupyterLab])
async def test_keys_go_into_the_page_of_each_peer_that_is_installed(chromium_path, make):
    terminal = make()
    if terminal.missing():
        pytest.skip(terminal.missing())
    async with terminal.launch() as running, chromium.started() as browser:
        before = await running.steady_footprint()
        async with opened(browser) as tab:
            driver = DRIVERS[terminal.page]
            await driver.open(tab, running)
            (stamp,) = await PageTypist(browser, tab, through_socket=True).type_keys(1)
            assert isinstance(stamp, KeyStamps)
            await driver.end(tab, running)
        assert (await running.residue(before))[0] == ""
