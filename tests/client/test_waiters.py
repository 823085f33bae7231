"""Who waits for a change, and until when: with the loop's own clock, and deadlines that have passed already."""

from __future__ import annotations

import asyncio
import math

import pytest

from web_terminal_suite.client.waiters import Waiters

PAST = -1.0


def soon() -> float:
    return asyncio.get_running_loop().time() + 0.01


async def test_a_change_wakes_all_that_wait():
    waiters = Waiters()
    waiting = [waiters.change(math.inf), waiters.change(asyncio.get_running_loop().time() + 60)]
    waiters.wake()
    await asyncio.gather(*waiting)
    waiters.close()


@pytest.mark.parametrize("first", [60.0, math.inf])
async def test_each_waits_to_its_own_deadline_whoever_came_first(first):
    waiters = Waiters()
    long = waiters.change(asyncio.get_running_loop().time() + first)
    with pytest.raises(TimeoutError):
        await waiters.change(soon())
    assert not long.done()
    # The one timer rang for somebody else and must ring again for whoever comes later.
    with pytest.raises(TimeoutError):
        await waiters.change(soon())
    waiters.wake()
    await long
    waiters.close()


async def test_a_deadline_that_outlived_a_wake_still_rings():
    waiters = Waiters()
    woken = waiters.change(soon())
    waiters.wake()
    await woken
    # The timer of the first is still set and rings before this one is due.
    later = asyncio.get_running_loop().time() + 0.05
    with pytest.raises(TimeoutError):
        await waiters.change(later)
    assert asyncio.get_running_loop().time() >= later


async def test_a_deadline_that_has_passed_is_late_at_once():
    with pytest.raises(TimeoutError):
        await Waiters().change(PAST)


async def test_whoever_gave_up_is_not_woken():
    waiters = Waiters()
    given_up, late = waiters.change(math.inf), waiters.change(soon())
    given_up.cancel()
    with pytest.raises(TimeoutError):
        await late
    waiters.wake()
    assert given_up.cancelled()


async def test_closing_wakes_all_and_leaves_no_timer():
    waiters = Waiters()
    waiting = waiters.change(asyncio.get_running_loop().time() + 60)
    waiters.close()
    await waiting
    assert waiters._timer is None
