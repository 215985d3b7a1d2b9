"""What is longer than the screen goes to a pager: on a terminal alone, and not where nobody wants one."""

import os
import pty
import sys
from contextlib import redirect_stdout
from threading import Thread

import pytest

from engagement_pipeline.cli import pager
from engagement_pipeline.cli.main import main

pytestmark = pytest.mark.marts

MARKED = "sed s/^/paged:/"  # a pager that shows what it was given
SHORT, LONG = 9, 10  # lines; the screen has 10, and the last is for the prompt
ALL = [str(number) for number in range(LONG)]


@pytest.fixture
def screen(monkeypatch):
    """Return a function that calls another on a terminal of 10 lines, and gives the lines on its screen."""
    for name, value in {"TERM": "xterm", "PAGER": MARKED, "LINES": "10", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LESS", raising=False)

    def of(printing):
        ours, theirs = pty.openpty()
        said = []
        reader = Thread(target=lambda: said.extend(_chunks(ours)))
        reader.start()
        with os.fdopen(theirs, "w", encoding="utf-8") as file, redirect_stdout(file):
            printing()
        reader.join()
        os.close(ours)
        return b"".join(said).decode().splitlines()

    return of


def _chunks(descriptor):
    """Yield what comes to a terminal until nobody writes there any more."""
    try:
        while chunk := os.read(descriptor, 2**16):
            yield chunk
    except OSError:
        return


def told(lines, *, text=""):
    """Print so many lines, within a pager."""
    with pager.paged():
        for number in range(lines):
            print(text or number)  # noqa: T201 - what is paged


def test_what_is_longer_than_the_screen_goes_to_the_pager(screen):
    assert screen(lambda: told(LONG)) == [f"paged:{line}" for line in ALL]


def test_what_fits_on_the_screen_goes_there(screen):
    assert screen(lambda: told(SHORT)) == ALL[:SHORT]


def test_a_line_that_the_terminal_wraps_counts_as_the_lines_that_it_takes(screen):
    (line,) = screen(lambda: told(1, text="x" * 40 * LONG))
    assert line.startswith("paged:")


def test_what_is_printed_goes_to_people_all_the_same(screen):
    def ask():
        with pager.paged():
            print(sys.stdout.isatty())  # noqa: T201

    assert screen(ask) == ["True"]


@pytest.mark.parametrize("command", ["", "cat", " cat ", "'", "no-such-pager"])
def test_without_a_pager_all_goes_to_the_screen(screen, monkeypatch, command):
    monkeypatch.setenv("PAGER", command)
    assert screen(lambda: told(LONG)) == ALL


@pytest.mark.parametrize("name", ["dumb", "unknown", None])
def test_a_terminal_that_moves_no_cursor_gets_all(screen, monkeypatch, name):
    monkeypatch.setenv("TERM", name) if name else monkeypatch.delenv("TERM")
    assert screen(lambda: told(LONG)) == ALL


def test_to_leave_the_pager_early_ends_the_output_and_is_no_error(screen, monkeypatch):
    monkeypatch.setenv("PAGER", "head -n 1")
    left = []

    def endless():
        with pager.paged():
            while True:
                print("a line")  # noqa: T201
        left.append(True)

    assert screen(endless) == ["a line"]
    assert left


def test_an_error_passes_on_after_what_was_printed_before_it(screen):
    def fails():
        print("before")  # noqa: T201
        raise KeyError("after")

    def within_a_pager():
        with pytest.raises(KeyError), pager.paged():
            fails()

    assert screen(within_a_pager) == ["before"]


@pytest.mark.parametrize(("chosen", "options"), [(None, "FRSX"), ("i", "i")])
def test_less_cuts_wide_lines_and_shows_bold_letters_unless_it_is_told_otherwise(screen, monkeypatch, chosen, options):
    monkeypatch.setenv("PAGER", """sh -c 'echo "$LESS"; cat > /dev/null'""")
    if chosen:
        monkeypatch.setenv("LESS", chosen)
    assert screen(lambda: told(LONG)) == [options]


@pytest.mark.parametrize("words", [("tables",), ("tables", "daily")])
def test_a_command_with_long_output_uses_it(screen, words):
    lines = screen(lambda: main(words))
    assert len(lines) > LONG
    assert all(line.startswith("paged:") for line in lines)


@pytest.mark.parametrize("words", [("tables", "--no-pager"), ("config",)])
def test_no_other_command_does_nor_one_that_is_told_not_to(screen, words):
    lines = screen(lambda: main(words))
    assert len(lines) > LONG
    assert not any(line.startswith("paged:") for line in lines)


def test_a_pipe_gets_no_pager(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PAGER", MARKED)
    assert main(["tables"]) == 0
    assert "paged:" not in capsys.readouterr().out
