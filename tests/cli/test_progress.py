"""How far a command has come: bars on a terminal, a line a minute elsewhere."""

import io
import sys
from functools import partial

import pytest
from rich.console import Console

from engagement_pipeline.cli import progress
from engagement_pipeline.extract.progress import OnceAMinute


def test_a_bar_shows_requests_rows_and_fits_on_a_narrow_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=screen, force_terminal=True, width=80))
    with progress.bars() as bar:
        tell = bar("requests answered")
        tell(1_200, 14_000, rows=12_345_678)
    lines = screen.getvalue().splitlines()
    assert any("1,200/14,000  12,345,678 rows" in line for line in lines)


@pytest.mark.parametrize("seconds", [59, 60])
def test_without_a_terminal_a_line_is_written_once_a_minute_is_over(monkeypatch, seconds):
    now = iter([0.0, float(seconds)])
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(progress, "OnceAMinute", partial(OnceAMinute, clock=lambda: next(now)))
    with progress.bars() as bar:
        bar("requests answered")(30, 60, rows=1)
    assert log.getvalue() == (
        "engagement: requests answered: 30 of 60 (50 %), 1 row, 30 a minute, 0:01:00 left\n" if seconds == 60 else ""
    )
