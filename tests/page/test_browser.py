"""The page in a real Chromium, against the real server and real shells."""

from __future__ import annotations

import re
import signal

import pytest

from tests.conftest import TOKEN, serving
from tests.page.shell_page import end, opened, type_line, until_state, until_text

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_the_token_becomes_a_cookie_and_leaves_the_url(context, server):
    page = opened(context, server.url)
    assert TOKEN not in page.url
    assert TOKEN not in page.evaluate("document.documentElement.outerHTML + JSON.stringify(localStorage)")
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert TOKEN not in cookie["value"]
    assert page.evaluate("document.cookie") == ""
    # The cookie alone is enough from now on.
    again = opened(context, server.origin)
    end(again)
    end(page)
    assert page.problems == []


def test_without_a_token_the_page_asks_for_one(context, server):
    page = context.new_page()
    page.goto(server.origin)
    until_state(page, "login")
    field = page.locator("input[type=password]")
    field.fill("wrong-token-wrong-token")
    field.press("Enter")
    page.locator("#login-error", has_text="not valid").wait_for()
    assert page.evaluate("document.documentElement.dataset.state") == "login"
    field.fill(TOKEN)
    field.press("Enter")
    until_state(page, "connected")
    page.wait_for_function("() => webTerminal.text().includes('$')")
    end(page)


def test_typing_reaches_the_shell_and_output_the_screen(context, server):
    page = opened(context, server.url)
    type_line(page, "printf '%s%s\\n' com puted; echo 'wide: 漢字 é'")
    text = until_text(page, "computed")
    assert "wide: 漢字 é" in until_text(page, "wide: 漢字 é\n") or "wide: 漢字 é" in text
    assert float(page.evaluate("document.documentElement.dataset.rtt")) > 0
    assert page.problems == []
    end(page)


def test_the_shell_learns_the_page_s_size(context, server):
    page = opened(context, server.url)
    type_line(page, "stty size; echo fir''st")
    before = re.findall(r"^(\d+) (\d+)$", until_text(page, "first"), re.M)[-1]
    page.set_viewport_size({"width": 700, "height": 400})
    page.wait_for_function("before => webTerminal.stats().cols < before", arg=int(before[1]))
    type_line(page, "stty size; echo sec''ond")
    after = re.findall(r"^(\d+) (\d+)$", until_text(page, "second"), re.M)[-1]
    assert int(after[0]) < int(before[0])
    assert int(after[1]) < int(before[1])
    end(page)


def test_the_size_follows_the_window_that_is_used(browser, context, server):
    large = opened(context, server.url)
    columns = large.evaluate("webTerminal.stats().cols")
    with browser.new_context(viewport={"width": 420, "height": 300}) as phone:
        small = phone.new_page()
        address = server.url.replace("/#", f"/?session={large.evaluate('webTerminal.stats().session')}#")
        small.goto(address)
        until_state(small, "connected")
        large.bring_to_front()
        large.wait_for_function("before => webTerminal.stats().cols < before", arg=columns)
        large.keyboard.type("#")
        large.wait_for_function("before => webTerminal.stats().cols === before", arg=columns)
        small.bring_to_front()
        small.wait_for_function("wanted => webTerminal.stats().cols === wanted", arg=columns)
        small.keyboard.type("#")
        large.bring_to_front()
        large.wait_for_function("before => webTerminal.stats().cols < before", arg=columns)
    large.wait_for_function("before => webTerminal.stats().cols === before", arg=columns)
    large.wait_for_function("() => !document.querySelector('#screen').classList.contains('foreign')")
    end(large)


def test_a_dropped_connection_resumes_with_nothing_lost_and_nothing_doubled(context, server):
    page = opened(context, server.url)
    type_line(page, "i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo line-$i; sleep 0.005; done; echo fin''ished")
    for mark in ("line-50\n", "line-200\n", "line-400\n"):
        until_text(page, mark)
        page.evaluate("webTerminal.drop()")
    text = until_text(page, "finished")
    lines = [int(n) for n in re.findall(r"^line-(\d+)$", text, re.M)]
    assert lines == list(range(1, 601))
    end(page)


def test_reloading_the_page_brings_the_same_session_with_its_output(context, server):
    page = opened(context, server.url)
    type_line(page, "remember=me; printf '%s%s\\n' be fore")
    until_text(page, "before")
    session = page.evaluate("document.documentElement.dataset.session")
    page.reload()
    until_state(page, "connected")
    until_text(page, "before")
    assert page.evaluate("document.documentElement.dataset.session") == session
    type_line(page, 'echo "<$remember>"')
    until_text(page, "<me>")
    end(page)


def test_replayed_questions_to_the_terminal_are_not_answered_again(context, server):
    page = opened(context, server.url)
    # Device status and attributes: a terminal types its answer, which must happen once.
    type_line(page, "stty -echo; printf '\\033[6n\\033[c'; sleep 0.3; stty echo; echo; echo ask''ed")
    until_text(page, "asked")
    page.reload()
    until_state(page, "connected")
    until_text(page, "asked")
    type_line(page, "clear; echo qui''et")
    text = until_text(page, "quiet")
    assert "?" not in text.split("quiet")[0].replace("$", "")
    end(page)


def test_the_end_of_the_shell_is_shown(context, server):
    page = opened(context, server.url)
    type_line(page, "exit 3")
    until_state(page, "ended")
    page.wait_for_function("() => document.body.innerText.includes('3')")
    page.get_by_role("button", name="New session").first.click()
    until_state(page, "connected")
    end(page)


def test_nothing_is_asked_of_other_servers_and_no_script_is_refused(context, server):
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = opened(context, server.url)
    foreign = [url for url in asked if not url.startswith((server.origin, "data:", "blob:"))]
    assert foreign == []
    assert page.problems == []
    end(page)


def test_a_killed_worker_is_survived(context):
    with serving() as server:
        page = opened(context, server.url)
        type_line(page, "here=still; echo rea''dy")
        until_text(page, "ready")
        server.workers[0].send_signal(signal.SIGKILL)
        page.wait_for_function("() => document.documentElement.dataset.state !== 'connected'")
        until_state(page, "connected")
        type_line(page, 'echo "<$here>"')
        until_text(page, "<still>")
        page.close()


def test_a_draining_server_is_counted_down_and_its_session_goes_on(context):
    with serving("--drain-deadline", "7200") as server:
        page = opened(context, server.url)
        countdown = page.locator("#drain")
        assert not countdown.is_visible()
        server.process.send_signal(signal.SIGUSR1)
        countdown.wait_for(state="visible")
        assert countdown.inner_text() in ("Server ends in 2 h 0 min", "Server ends in 1 h 59 min")
        type_line(page, "echo st''ill")
        until_text(page, "still")
        page.reload()
        until_state(page, "connected")
        countdown.wait_for(state="visible")
        other = context.new_page()
        other.goto(server.url)
        until_state(other, "closed")
        assert "takes no new sessions" in other.locator("#notice-text").inner_text()
        other.close()
        assert page.problems == []
        page.close()


def test_the_page_works_under_a_base_path(context):
    with serving("--base-path", "/term") as server:
        page = opened(context, server.url)
        type_line(page, "printf '%s%s\\n' un der")
        until_text(page, "under")
        assert page.evaluate("location.pathname").startswith("/term/")
        page.close()


def test_logging_out_asks_for_a_token_and_the_session_goes_on(context, server):
    page = opened(context, server.url)
    other = opened(context, server.origin)  # with the same cookie
    type_line(page, "echo st''ays")
    until_text(page, "stays")
    session = page.evaluate("webTerminal.stats().session")
    page.locator("#menu-button").click()
    page.locator("#logout").click()
    until_state(page, "login")
    until_state(other, "login")
    page.reload()
    until_state(page, "login")
    page.locator("input[type=password]").fill(TOKEN)
    page.locator("input[type=password]").press("Enter")
    until_state(page, "connected")
    assert page.evaluate("webTerminal.stats().session") == session
    until_text(page, "stays")
    end(page)
    other.close()
