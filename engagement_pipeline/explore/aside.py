"""What takes long, beside the loop that answers: queries in threads, and the making of a script in a process.

In: work. Out: what comes of it. The explorer ends by Ctrl-C whatever of it still goes on.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NAME = "explorer"  # of the threads
BUNDLE = ("-m", "engagement_pipeline.charts.bundle")


async def aside(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises, out of a thread that nobody waits for at the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # it is what `work` returned

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - raised again where it is waited for
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, error)

    Thread(target=run, name=NAME, daemon=True).start()
    return await done


def goes_on() -> bool:
    """Tell whether work still goes on."""
    return any(thread.name == NAME for thread in enumerate_threads())


class BundledScript:
    """Vega-Lite for a browser, made once, when it is first asked for."""

    def __init__(self) -> None:
        self._made: asyncio.Task[bytes] | None = None

    async def text(self) -> bytes:
        """Return the script; empty if it cannot be made."""
        if self._made is None:
            self._made = asyncio.create_task(_made())
        return await asyncio.shield(self._made)  # a browser that goes away leaves it to the next


async def _made() -> bytes:
    # In a session of its own, since Ctrl-C is for the explorer.
    process = await asyncio.create_subprocess_exec(
        sys.executable, *BUNDLE, stdout=PIPE, stderr=DEVNULL, stdin=DEVNULL, start_new_session=True
    )
    try:
        text, _ = await process.communicate()
        return text if process.returncode == 0 else b""
    finally:
        if process.returncode is None:
            process.kill()
