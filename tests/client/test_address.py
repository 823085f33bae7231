"""Addresses out of the URLs people paste."""

from __future__ import annotations

import pytest

from web_terminal_suite.client.address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:7681/#token=abc", Address("127.0.0.1", 7681, False, "", "abc")),
        ("ws://127.0.0.1:7681/ws", Address("127.0.0.1", 7681)),
        ("https://example.org/term/#token=t", Address("example.org", 443, True, "/term", "t")),
        ("wss://example.org/term/ws", Address("example.org", 443, True, "/term")),
        ("http://[::1]:80/", Address("::1", 80)),
    ],
)
def test_urls(url, address):
    assert parse_address(url) == address


def test_a_given_token_goes_first_and_paths_lie_under_the_base():
    address = parse_address("http://h:1/term/#token=a", "b")
    assert address.token == "b"
    assert address.websocket("/ws") == "ws://h:1/term/ws"


@pytest.mark.parametrize("url", ["", "127.0.0.1:7681", "ftp://x/", "http:///", "http://h:notaport/"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError, match=r"URL|host|[Pp]ort"):
        parse_address(url)


@pytest.mark.parametrize("port", ["notaport", "65536", "-1"])
def test_a_port_that_is_none_is_named_without_the_credentials(port):
    with pytest.raises(ValueError, match=rf"^the port of 'h:{port}' is not a number from 0 to 65535$"):
        parse_address(f"http://me:secret@h:{port}/")
