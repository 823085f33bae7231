"""The terminals of a run whose benchmarks are in a browser: those that have only a page, and any page by its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser import catalogue as browser_suite
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.terminals.jupyterlab import JupyterLab
from web_terminal_suite.bench.terminals.registry import choose
from web_terminal_suite.bench.terminals.remote_page import PREFIX, RemotePage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.pipeline.options import BenchOptions
    from web_terminal_suite.bench.terminals.terminal import Terminal

BY_THEIR_PAGE: Final = (JupyterLab,)
"""Terminals that are measured by their page alone: on the wire they are another one."""


def chosen_terminals(options: BenchOptions, seed: int, own: Sequence[type[Terminal]]) -> tuple[Terminal, ...]:
    """The terminals that the options name, as ``registry.choose``; where pages are measured, those that are pages too.

    Raises:
        OptionsError: a page by its URL, and no benchmark that could measure it.
        UnknownTerminal, ValueError: as ``choose``.
    """
    in_browser = browser_suite.is_asked_for(options.filters)
    urls = tuple(each for each in options.urls if not each.startswith(PREFIX))
    pages = _told_apart([RemotePage(each.removeprefix(PREFIX)) for each in options.urls if each not in urls])
    if not in_browser:
        if pages:
            raise OptionsError(
                f"--url {PREFIX}{pages[0].page_url}: a page is measured in a browser only: "
                f"web-terminal bench {browser_suite.SUITE} --url {PREFIX}URL"
            )
        return choose(options.terminals, urls, options.token, seed, own)
    chosen = choose(options.terminals, urls, options.token, seed, (*own, *BY_THEIR_PAGE))
    if pages and not (options.terminals or urls):
        chosen = tuple(each for each in chosen if each.role != "subject")
    return (*pages, *chosen, *browser_suite.FLOORS)


def _told_apart(pages: list[RemotePage]) -> list[RemotePage]:
    """The pages; several are named by where they are, since samples are kept by the name."""
    if len(pages) > 1:
        for each in pages:
            each.name = f"{each.name} at {each.address.authority}{each.address.base}"
    names = [each.name for each in pages]
    if len(set(names)) < len(names):
        raise ValueError(f"{names[0]} is named twice; measure one terminal twice with --self-check")
    return pages
