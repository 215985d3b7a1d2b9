"""What goes on beside the loop that answers."""

import asyncio
import threading

import pytest

from engagement_pipeline.explore.aside import aside


def test_work_is_done_in_a_thread_that_nobody_waits_for():
    thread = asyncio.run(aside(threading.current_thread))
    assert thread.daemon
    assert thread is not threading.main_thread()


def test_what_work_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        asyncio.run(aside(lambda: 1 / 0))


def test_the_loop_ends_though_work_goes_on():
    never = threading.Event()

    async def impatient():
        async with asyncio.timeout(0):
            await aside(never.wait)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    never.set()
