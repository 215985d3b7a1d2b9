"""The commands with which a user puts a file of a lake right by hand, where the lake lies.

In: paths. Out: lines for a shell.
"""

from __future__ import annotations

import shlex
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

from engagement_pipeline.core.places import ObjectPath

if TYPE_CHECKING:
    from pathlib import Path


class Commands(NamedTuple):
    """How a file is moved into a folder, and a folder; how a file is removed, and how a text is written into one.

    `moved` is the path that what is moved has in the folder, and `below` is all in a folder that is moved.
    """

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
IN_BUCKETS = {  # by the scheme of an address
    "s3": Commands(
        move="aws s3 mv {path} {moved}",
        move_folder="aws s3 mv --recursive {path} {moved}",
        remove="aws s3 rm {path}",
        write="printf '%s' {text} | aws s3 cp - {path}",
    ),
    # Its tool copies several blobs in its own time, so a folder is moved onto this machine.
    "az": Commands(
        move="az storage blob copy start --requires-sync true"
        " --source-container {path.parts[1]} --source-blob {path.key}"
        " --destination-container {path.parts[1]} --destination-blob {moved.key}"
        " && az storage blob delete --container-name {path.parts[1]} --name {path.key}",
        move_folder="mkdir -p {into.key}"
        " && az storage blob download-batch --source {path.parts[1]} --pattern {below.key} --destination {into.key}"
        " && az storage blob delete-batch --source {path.parts[1]} --pattern {below.key}",
        remove="az storage blob delete --container-name {path.parts[1]} --name {path.key}",
        write="az storage blob upload --overwrite --container-name {path.parts[1]} --name {path.key} --data {text}",
    ),
}


class Quoting(Formatter):
    """Fills values into a command as a shell reads them."""

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401, ARG002 - as of Formatter
        """Return a value as a shell reads it."""
        return shlex.quote(str(value))


def moved(path: Path, *, into: Path) -> str:
    """Return the command that moves a file or folder of a lake into a folder; on a disk it overwrites nothing."""
    commands = _commands(path)
    command = commands.move if path.suffix else commands.move_folder
    return Quoting().format(command, path=path, into=into, moved=into / path.name, below=path / "*")


def removed(path: Path) -> str:
    """Return the command that removes a file of a lake."""
    return Quoting().format(_commands(path).remove, path=path)


def written(path: Path, text: str) -> str:
    """Return the command that writes a text into a file of a lake."""
    return Quoting().format(_commands(path).write, path=path, text=text)


def _commands(path: Path) -> Commands:
    return IN_BUCKETS[path.scheme] if isinstance(path, ObjectPath) else DISK
