"""The commands with which a user puts a file of a lake right by hand, where the lake lies.

In: paths. Out: lines for a shell.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from engagement_pipeline.core.places import ObjectPath

if TYPE_CHECKING:
    from pathlib import Path


class Commands(NamedTuple):
    """How a file is moved into a folder, and a folder; how a file is removed, and how a text is written into one."""

    move: str
    move_folder: str
    remove: str
    write: str


DISK = Commands(
    move="mkdir -p {into} && mv -n {path} {into}/",
    move_folder="mkdir -p {into} && mv -n {path} {into}/",
    remove="rm {path}",
    write="printf '%s' {text} > {path}",
)
S3 = Commands(
    move="aws s3 mv {path} {moved}",
    move_folder="aws s3 mv --recursive {path} {moved}",
    remove="aws s3 rm {path}",
    write="printf '%s' {text} | aws s3 cp - {path}",
)


def moved(path: Path, *, into: Path) -> str:
    """Return the command that moves a file or folder of a lake into a folder; on a disk it overwrites nothing."""
    command = _commands(path).move if path.suffix else _commands(path).move_folder
    return _filled(command, path=path, into=into, moved=into / path.name)


def removed(path: Path) -> str:
    """Return the command that removes a file of a lake."""
    return _filled(_commands(path).remove, path=path)


def written(path: Path, text: str) -> str:
    """Return the command that writes a text into a file of a lake."""
    return _filled(_commands(path).write, path=path, text=text)


def _commands(path: Path) -> Commands:
    return S3 if isinstance(path, ObjectPath) else DISK


def _filled(command: str, **values: Path | str) -> str:
    return command.format(**{name: shlex.quote(str(value)) for name, value in values.items()})
