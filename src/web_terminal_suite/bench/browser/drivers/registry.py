"""Which pages there are, by the name that ``Terminal.page`` has."""

from __future__ import annotations

from web_terminal_suite.bench.browser.bare_page import BarePageDriver
from web_terminal_suite.bench.browser.drivers.any_page import AnyPage
from web_terminal_suite.bench.browser.drivers.driver import PageDriver
from web_terminal_suite.bench.browser.drivers.gotty import GottyPage
from web_terminal_suite.bench.browser.drivers.jupyterlab import JupyterLabPage
from web_terminal_suite.bench.browser.drivers.ttyd import TtydPage
from web_terminal_suite.bench.browser.drivers.web_terminal import WebTerminalPage
from web_terminal_suite.bench.browser.drivers.wetty import WettyPage
from web_terminal_suite.bench.browser.known_page import CharacterPageDriver

_PAGES = (
    WebTerminalPage, TtydPage, GottyPage, WettyPage, JupyterLabPage, AnyPage, CharacterPageDriver, BarePageDriver,
)  # fmt: skip

DRIVERS: dict[str, PageDriver] = {each.name: each() for each in _PAGES}
