"""Every terminal that has a page has a driver for it, and the drivers know their way."""

from __future__ import annotations

import pytest

from web_terminal_suite.bench.browser.drivers.driver import http_url
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.terminals.registry import SUBJECTS, remote
from web_terminal_suite.bench.terminals.terminal import Capability, Running
from web_terminal_suite.client.address import parse_address


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_terminal_with_a_page_has_a_driver(name):
    terminal = SUBJECTS[name]()
    assert (Capability.PAGE in terminal.capabilities) == bool(terminal.page)
    assert not terminal.page or terminal.page in DRIVERS


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/#token=secret", "ttyd=http://127.0.0.1:1/", "wetty=http://[::1]:1/"]
)
def test_a_terminal_that_runs_already_has_its_page(url):
    terminal = remote(url, "")
    assert terminal.page == (url.partition("=")[0] if url[0] in "tw" else "web-terminal")
    assert Capability.PAGE in terminal.capabilities


@pytest.mark.parametrize(
    ("url", "token", "page"),
    [
        ("https://host/base/", "", "https://host:443/base/"),
        ("http://user:pass%40word@127.0.0.1:1/", "", "http://user:pass%40word@127.0.0.1:1/"),
        ("http://[::1]:8/", "a-token", "http://[::1]:8/"),
    ],
)
def test_the_address_of_a_page_logs_in_by_name_where_there_is_one(url, token, page):
    assert http_url(Running(SUBJECTS["ttyd"](), (parse_address(url, token),))) == page


def test_the_token_of_ours_is_in_the_fragment():
    running = Running(SUBJECTS["web-terminal"](), (parse_address("http://127.0.0.1:1/#token=secret"),))
    assert DRIVERS["web-terminal"].url(running) == "http://127.0.0.1:1/#token=secret"
