"""The terminal's page with a shell, as the tests of it use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def opened(context: BrowserContext, url: str) -> Page:
    """A page attached to a session."""
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: line.type == "error" and page.problems.append(line.text))
    page.goto(url)
    until_state(page, "connected")
    page.wait_for_function("() => webTerminal.text().includes('$')")
    return page


def until_state(page: Page, state: str) -> None:
    page.wait_for_function("state => document.documentElement.dataset.state === state", arg=state)


def until_text(page: Page, text: str) -> str:
    page.wait_for_function("text => webTerminal.text().includes(text)", arg=text)
    return page.evaluate("webTerminal.text()")


def type_line(page: Page, line: str) -> None:
    page.keyboard.type(line)
    page.keyboard.press("Enter")


def end(page: Page) -> None:
    """End the page's session, so that the shared server is as it was."""
    session = page.evaluate("document.documentElement.dataset.session")
    status = page.evaluate("id => fetch(`api/v1/sessions/${id}`, {method: 'DELETE'}).then(r => r.status)", session)
    assert status == 204
    page.close()
