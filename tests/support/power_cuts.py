"""What a power cut may leave of a folder: all that was synced, and any part of the rest.

A change of names is on the disk once the folder is synced in which the name appears or goes. Until then, a power cut
may take it or leave it, whatever happens to other changes, even later ones. A file that was not synced is left empty.
"""

import os
import random
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pytest

ALL_OF = 5  # changes: their subsets are all tried; of more, some are drawn
DRAWN = 10  # subsets
MOST = 24  # of a recording
FUNCTIONS = ("rename", "replace", "mkdir", "unlink", "remove", "rmdir")


@dataclass(frozen=True, eq=False)
class Change:
    """What one call did to names in folders: {(folder, name): what lies there, None for nothing}."""

    names: dict
    folder: int  # which makes it last once it is synced


@dataclass
class Recording:
    """What happened to a folder: its names at first, then each change, and each sync of a folder as its number.

    Folders and files have numbers; `folders` are those of folders, `contents` what a file holds after a power cut.
    """

    root: int = 0
    first: dict = field(default_factory=dict)
    folders: set = field(default_factory=set)
    contents: dict = field(default_factory=dict)
    steps: list = field(default_factory=list)

    def unsynced(self, end=None):
        """Return what is certain to last at a moment, and what a power cut may take."""
        steps = self.steps[:end]
        last = {step: place for place, step in enumerate(steps) if isinstance(step, int)}
        changes = [(place, step) for place, step in enumerate(steps) if isinstance(step, Change)]
        lasting = [change for place, change in changes if last.get(change.folder, -1) > place]
        return lasting, [change for _, change in changes if change not in lasting]

    def cuts(self, *, most=MOST, seed=1):
        """Return what a power cut at any moment may leave, each once, as the changes that are there; or some of it."""
        draw, found = random.Random(seed), {}
        for end, step in enumerate([*self.steps, 0]):
            if isinstance(step, int) and end and isinstance(self.steps[end - 1], Change):  # else less may be lost
                lasting, open_ = self.unsynced(end)
                for some in subsets(open_, draw):
                    left = {*lasting, *some}
                    found[frozenset(left)] = [step for step in self.steps if step in left]
        return draw.sample([*found.values()], min(most, len(found)))

    def restore(self, left, to):
        """Make a folder as a power cut leaves it."""
        names = dict(self.first)
        for change in left:
            names |= change.names
        self._restore(self.root, names, to)
        return to

    def _restore(self, number, names, to):
        to.mkdir(parents=True)
        for (folder, name), there in names.items():
            if folder == number and there in self.folders:
                self._restore(there, names, to / name)
            elif folder == number and there is not None:
                (to / name).write_bytes(self.contents[there])


def subsets(changes, draw):
    """Return all subsets of few changes; of many, the least, the largest, and some that are drawn."""
    if len(changes) <= ALL_OF:
        return [some for size in range(len(changes) + 1) for some in combinations(changes, size)]
    few = [some for size in (0, 1, len(changes) - 1, len(changes)) for some in combinations(changes, size)]
    return few + [[change for change in changes if draw.random() < 0.5] for _ in range(DRAWN)]


class Recorder:
    """Notes what the process does to a folder. New folders with a hidden name are not its concern: they are staging."""

    def __init__(self, root):
        self.recording = Recording()
        self._numbers = {}  # of folders, by inode
        self._synced = {}  # content by inode
        self._next = 0
        self.recording.root = self._folder(root)
        self._walk(root)

    def _number(self):
        self._next += 1
        return self._next

    def _folder(self, path):
        number = self._numbers[path.stat().st_ino] = self._number()
        self.recording.folders.add(number)
        return number

    def _file(self, content):
        number = self._number()
        self.recording.contents[number] = content
        return number

    def _walk(self, path):
        here = self._numbers[path.stat().st_ino]
        for child in path.iterdir():
            there = self._folder(child) if child.is_dir() else self._file(child.read_bytes())
            self.recording.first[here, child.name] = there
            if child.is_dir():
                self._walk(child)

    def _place(self, path, dir_fd=None):
        """Return the number of a name's folder, None where it is none of ours, and the name."""
        folder, name = os.path.split(os.fspath(path))
        inode = os.fstat(dir_fd).st_ino if dir_fd is not None else Path(folder or ".").stat().st_ino
        return self._numbers.get(inode), name

    def _note(self, names):
        ours = {place: there for place, there in names.items() if place[0]}
        if ours:
            self.recording.steps.append(Change(ours, [*ours][-1][0]))

    def rename(self, really, source, target):
        places = self._place(source), self._place(target)
        really(source, target)
        there = Path(target).stat()
        if stat.S_ISDIR(there.st_mode):
            number = self._numbers.get(there.st_ino)
        else:
            content = Path(target).read_bytes()
            number = self._file(content if self._synced.get(there.st_ino) == content else b"")
        self._note({places[0]: None, places[1]: number})

    replace = rename

    def mkdir(self, really, path, *mode, **named):
        really(path, *mode, **named)
        folder, name = self._place(path)
        self._numbers.pop(Path(path).stat().st_ino, None)  # of a folder that is gone
        if folder and not name.startswith("."):
            self._note({(folder, name): self._folder(Path(path))})

    def unlink(self, really, path, **named):
        really(path, **named)
        self._note({self._place(path, named.get("dir_fd")): None})

    remove = rmdir = unlink

    def fsync(self, really, descriptor):
        file = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        status = os.fstat(file)
        if not stat.S_ISDIR(status.st_mode):
            self._synced[status.st_ino] = Path(f"/proc/self/fd/{file}").read_bytes()
        elif status.st_ino in self._numbers:
            self.recording.steps.append(self._numbers[status.st_ino])
        really(descriptor)


@contextmanager
def recorded(root):
    """Record what this process does to a folder, in a Recording."""
    recorder = Recorder(root)
    with pytest.MonkeyPatch.context() as patch:
        for name in (*FUNCTIONS, "fsync"):
            patch.setattr(os, name, noting(getattr(recorder, name), getattr(os, name)))
        yield recorder.recording


def noting(note, really):
    return lambda *arguments, **named: note(really, *arguments, **named)
