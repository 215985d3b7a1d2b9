"""Long output in a pager, for a standard output that is a terminal.

In: what a command prints. Out: the same on the screen if it fits there, and else in $PAGER, or in less. At most a
screen is held back, so the pager shows the first page while the command still prints.
"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from typing import IO, TYPE_CHECKING, BinaryIO

from engagement_pipeline.cli.grid import PLAIN_TERMINALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from _typeshed import ReadableBuffer

PAGER = "less"
LESS = "FRSX"  # end where all fits, show bold letters, cut wide lines, leave the text on the screen
NO_PAGERS = {(), ("cat",)}  # what people set to have none


@contextmanager
def paged() -> Iterator[None]:
    """Send what is printed within to a pager once it is longer than the screen. To leave the pager early is no error.

    Nothing changes where there is no pager, or where the terminal cannot show one.
    """
    command = _command() if os.environ.get("TERM", "dumb") not in PLAIN_TERMINALS else ()
    if not command:
        yield
        return
    with _Pager(command, sys.stdout.buffer) as pager:
        screen = io.BufferedWriter(_Screen(sys.stdout.buffer, pager))
        text = io.TextIOWrapper(screen, encoding=sys.stdout.encoding, errors=sys.stdout.errors)
        try:
            with redirect_stdout(text):
                yield
        finally:
            text.close()


def _command() -> Sequence[str]:
    """Return the words of the pager's command; none if there is no pager."""
    try:
        command = tuple(shlex.split(os.environ.get("PAGER", PAGER)))
    except ValueError:  # a quote that is not closed
        return ()
    return () if command in NO_PAGERS or not shutil.which(command[0]) else command


class _Pager:
    """A pager that starts with its first page, if there is one, and is waited for."""

    def __init__(self, command: Sequence[str], terminal: BinaryIO) -> None:
        self._command = command
        self._terminal = terminal
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """Wait until people have read; an output that broke off because they left is no error."""
        if self._process is None:
            return False
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # in a pager, Ctrl-C ends a search and not the pager
        try:
            with suppress(BrokenPipeError):
                self._process.communicate()
        finally:
            signal.signal(signal.SIGINT, before)
        return kind is not None and issubclass(kind, BrokenPipeError)

    def start(self) -> IO[bytes]:
        """Start it, and return what it reads."""
        environment = {"LESS": LESS, **os.environ}
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=self._terminal, env=environment)
        assert self._process.stdin
        return self._process.stdin


class _Screen(io.RawIOBase):
    """A terminal that keeps a screen of bytes; once there are more, it gives them all to a pager."""

    def __init__(self, terminal: BinaryIO, pager: _Pager) -> None:
        self._terminal = terminal
        self._pager = pager
        self._room = shutil.get_terminal_size()
        self._kept = b""
        self._reader: IO[bytes] | None = None  # the pager's

    def isatty(self) -> bool:
        """Tell that people read this."""
        return True

    def writable(self) -> bool:
        """Tell that it takes bytes."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Keep bytes, or pass them on; raises BrokenPipeError once the pager has gone."""
        content = bytes(data)
        if self._reader:
            self._pass_on(content)
        else:
            self._kept += content
            if self._lines() >= self._room.lines:  # the last line is for the next prompt
                self._reader = self._pager.start()
                self._pass_on(self._kept)
        return len(content)

    def close(self) -> None:
        """Show what is kept, if no pager has it."""
        if not self.closed and not self._reader:
            self._terminal.write(self._kept)
            self._terminal.flush()
        super().close()

    def _pass_on(self, content: bytes) -> None:
        assert self._reader
        self._reader.write(content)
        self._reader.flush()

    def _lines(self) -> int:
        """Return how many lines of the terminal the kept bytes take."""
        wide = max(1, self._room.columns)
        return sum(max(1, -(-len(line) // wide)) for line in self._kept.splitlines())
