"""How far a command has come, on standard error.

In: progress callbacks of the library. Out: a bar each on a terminal; elsewhere, such as in a log, a line a minute.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from engagement_pipeline.core.words import counted
from engagement_pipeline.extract.progress import MINUTE, OnceAMinute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Task, TaskID

    from engagement_pipeline.core import model

BAR = 14  # columns, so that all of a line fits into 80


class _Numbers(ProgressColumn):
    """What is done, of how many, with what rows and at which rate."""

    def render(self, task: Task) -> Text:
        """Return the numbers of a bar."""
        done = f"{task.completed:,.0f}" + (f"/{task.total:,.0f}" if task.total else "")
        rows = f"  {counted(task.fields['rows'], 'row')}" if task.fields["rows"] else ""
        rate = f"  {task.speed * MINUTE:,.0f}/min" if task.speed and not task.finished else ""
        return Text(f"{done}{rows}{rate}")


@contextmanager
def bars() -> Iterator[Callable[[str], model.Progress]]:
    """Yield a function that makes progress callbacks; its argument says what is counted."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda title: OnceAMinute(title, _say)
        return
    columns = (TextColumn("{task.description:<17}"), BarColumn(BAR), _Numbers(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=console) as shown:

        def told(task: TaskID, done: int, total: int, /, *, rows: int = 0) -> None:
            shown.update(task, completed=done, total=total, rows=rows)

        yield lambda title: partial(told, shown.add_task(title, total=None, rows=0))


def _say(line: str) -> None:
    print(f"engagement: {line}", file=sys.stderr, flush=True)
