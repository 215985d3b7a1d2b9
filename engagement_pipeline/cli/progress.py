"""How far a command has come, on standard error.

In: progress callbacks of the library. Out: a bar each on a terminal.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engagement_pipeline.core.model import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bars() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """Yield a function that makes progress callbacks, each with a bar on standard error; a log file gets no bars."""
    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _title: quiet
        return
    with Progress(*columns, console=console) as progress:

        def bar(title: str) -> Callable[[int, int], None]:
            task = progress.add_task(title, total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield bar
