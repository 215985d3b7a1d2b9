"""The command `engagement completion`: the script with which a shell completes commands, options and file names.

In: the name of a shell. Out: the script on standard output. It lists all words, so a shell starts no process for them.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import shtab

from engagement_pipeline.cli import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}  # what an argument takes that the help shows with this name


def run(options: argparse.Namespace) -> None:
    """Print the script."""
    whole = commands.parser()
    for argument in _arguments(whole):
        if argument.metavar in PATHS:
            argument.complete = PATHS[argument.metavar]  # type: ignore[attr-defined]  # where shtab looks
    print(shtab.complete(whole, shell=options.shell))


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001 - as shtab finds them
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _arguments(command)
