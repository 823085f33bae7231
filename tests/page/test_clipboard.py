"""Pasting, composing and copying in a real Chromium against real shells."""

from __future__ import annotations

import pathlib
import sys
from typing import TYPE_CHECKING

import pytest

from tests.page.shell_page import end, opened, type_line, until_state, until_text

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PROGRAMS = f"{sys.executable} {pathlib.Path(__file__).with_name('programs.py')}"
TEXTAREA = "document.querySelector('.xterm-helper-textarea')"
PASTE = f"""text => {{
    const data = new DataTransfer();
    data.setData('text/plain', text);
    {TEXTAREA}.dispatchEvent(new ClipboardEvent('paste', {{clipboardData: data, bubbles: true, cancelable: true}}));
}}"""
HOSTILE = "a\tb\r\nc\x1b[201~d\x03\x04\x1a\x7f\x00\x9b201~\x85e\u2028Z"
HARMLESS = "a\tb\rc␛[201~d␃␄␚␡␀\ufffd201~\ufffde\u2028Z"


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    """With a clipboard, as a browser's user allows it."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


def escaped(text: str) -> str:
    return text.encode("unicode_escape").decode().replace("\\", "%")


def what_was_typed(page: Page) -> str:
    text = until_text(page, " END").replace("\n", "")
    return text.rpartition("TYPED ")[2].partition(" END")[0]


@pytest.mark.parametrize("way", ["paste", "insertText"])
@pytest.mark.parametrize("bracketed", [False, True])
def test_pasted_text_holds_no_control_but_tab_and_line_ends(context, server, way, bracketed):
    page = opened(context, server.url)
    type_line(page, f"clear; {PROGRAMS} typed {'2004' if bracketed else ''}")
    until_text(page, "READY")
    if way == "paste":
        page.evaluate(PASTE, HOSTILE)
    else:
        page.keyboard.insert_text(HOSTILE)
    expected = escaped(f"\x1b[200~{HARMLESS}\x1b[201~" if bracketed else HARMLESS)
    assert what_was_typed(page) == expected
    end(page)


def test_a_paste_by_key_runs_nothing(context, server):
    page = opened(context, server.url)
    page.evaluate("text => navigator.clipboard.writeText(text)", "echo harmless\x1b[201~\recho ran-$((6*7))\r#")
    page.keyboard.press("Control+Shift+V")
    until_text(page, "ran-$((6*7))")
    page.keyboard.press("Control+C")
    type_line(page, "clear; echo do''ne")
    assert "ran-42" not in until_text(page, "done")
    end(page)


# What a person does while a replay is drawn; each puts its text at the prompt.
DURING_A_REPLAY = {
    "a paste": f"({PASTE})('echo gi' + \"''\" + 'ven-1')",
    "a touch keyboard": f"""{TEXTAREA}.dispatchEvent(
        new InputEvent('input', {{inputType: 'insertText', data: "echo gi''ven-1", bubbles: true}}))""",
    "a composition": f"""{TEXTAREA}.dispatchEvent(new CompositionEvent('compositionstart', {{bubbles: true}}));
        {TEXTAREA}.value += "echo gi''ven-1";
        {TEXTAREA}.dispatchEvent(new CompositionEvent('compositionend', {{bubbles: true}}));""",
}


@pytest.mark.parametrize("action", DURING_A_REPLAY)
def test_what_a_person_does_during_a_replay_arrives(context, server, action):
    page = opened(context, server.url)
    # A query whose answer must not arrive again, and enough to draw that the page can act while it is drawn.
    type_line(page, f"clear; {PROGRAMS} answers '' first")
    until_text(page, "ANSWERS-first 4")
    type_line(
        page, r"i=0; while [ $i -lt 9000 ]; do i=$((i+1)); printf '\033[31mline %d\033[m\n' $i; done; echo fil''led"
    )
    until_text(page, "filled")
    page.add_init_script(f"""
        const act = () => {{
            if (window.webTerminal?.stats().replaying !== true) setTimeout(act);
            else {{ window.replaying = true; {DURING_A_REPLAY[action]} }}
        }};
        addEventListener('DOMContentLoaded', act);
    """)
    page.reload()
    page.wait_for_function("() => window.replaying")
    until_state(page, "connected")
    page.wait_for_function("() => !webTerminal.stats().replaying")
    until_text(page, "echo gi''ven-1")
    page.keyboard.press("Enter")
    until_text(page, "given-1")
    end(page)


@pytest.mark.parametrize("target", ["c", "", "s0", "pc"])
def test_a_program_copies_to_the_clipboard(context, server, target):
    page = opened(context, server.url)
    page.evaluate("navigator.clipboard.writeText('old')")
    type_line(page, rf"printf '\033]52;{target};%s\007' $(printf 'copied \303\251' | base64)")
    page.wait_for_function("() => navigator.clipboard.readText().then(text => text === 'copied é')")
    page.locator("#hint", has_text="copied 8 characters").wait_for()
    # What was copied before is not copied again.
    page.evaluate("navigator.clipboard.writeText('new')")
    page.reload()
    until_state(page, "connected")
    type_line(page, "echo do''ne")
    until_text(page, "done")
    assert page.evaluate("navigator.clipboard.readText()") == "new"
    end(page)


def test_a_program_never_reads_the_clipboard_and_bad_copies_change_nothing(context, server):
    page = opened(context, server.url)
    page.evaluate("navigator.clipboard.writeText('secret')")
    for number, payload in enumerate(("c;?", ";?", "c;", "c", "c;%", "p;bm8=", ";", "")):
        type_line(page, rf"clear; {PROGRAMS} answers '\x1b]52;{payload}\x07' {number}")
        # Four bytes are the status report alone.
        until_text(page, f"ANSWERS-{number} 4\n")
    assert page.evaluate("navigator.clipboard.readText()") == "secret"
    assert page.problems == []
    end(page)
