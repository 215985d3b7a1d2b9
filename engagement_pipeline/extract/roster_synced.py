"""The file of each handle that the program writes beside the user's own: the Tweets that were found of it.

In: the setting `tweets`, a handle, Posts, and what is forgotten. Out: HANDLE.synced.csv, replaced as a whole.

A Tweet that was known stays, whatever a timeline or an archive leaves out later. A value that was known stays too, and
an empty one is filled. A column that somebody has added stays as it is. `found_in` says where a Tweet was found first;
a surer place overrides it. A Tweet that is forgotten is left out, and one that was known goes.
"""

from __future__ import annotations

import csv
import fnmatch
import glob
import io
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.core.erased import Change, Cleared
from engagement_pipeline.core.errors import InputError, RosterError
from engagement_pipeline.core.posts import COLUMNS
from engagement_pipeline.extract import roster_files, roster_rows
from engagement_pipeline.extract.roster_columns import HANDLE, TWEET_ID
from engagement_pipeline.extract.roster_files import SYNCED
from engagement_pipeline.lake.storage import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engagement_pipeline.core.erased import Erased
    from engagement_pipeline.core.posts import Post
    from engagement_pipeline.lake.forgotten import Forgotten

logger = logging.getLogger(__name__)
FOUND_IN = "found_in"
ARCHIVE, TIMELINE, PART, EXPORT = "archive", "timeline", "part of a timeline", "export"
COMPLETE = {ARCHIVE, TIMELINE}  # where no Tweet before the newest is lacking


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A handle's file after a merge: how many Tweets it holds, and how many of them are `new`.

    `left_out` are the Posts that came and are forgotten.
    """

    handle: str
    path: Path
    tweets: int
    new: int
    left_out: int = 0


def place(pattern: str, handle: str) -> Path:
    """Return the file of a handle; raises InputError if the setting `tweets` would not read it."""
    named, folder = Path(pattern), Path(_literal(pattern))
    name = f"{handle}{SYNCED}"
    if _is_glob(named.name) or folder.suffix:
        folder = Path(_literal(str(named.parent)))
        if _is_glob(str(named.parent)) or not fnmatch.fnmatch(name, named.name):
            raise InputError(
                f"the setting tweets, {pattern}, would not read a file {name}: set it to a folder, or to all files of "
                "one, such as data/tweets/*"
            )
    return folder / name


def _is_glob(text: str) -> bool:
    return glob.has_magic(roster_files.ESCAPED.sub("", text))


def _literal(text: str) -> str:
    """Return the path that a glob without wildcards names."""
    return roster_files.ESCAPED.sub(lambda found: found[0][1], text)


def known(pattern: str, handle: str) -> dict[int, dict[str, str]]:
    """Return the rows of a handle's file by Tweet, none where there is no file. Raises RosterError for a bad one."""
    return _known(place(pattern, handle), handle)


def merge(pattern: str, handle: str, posts: Sequence[Post], *, found_in: str, gone: Forgotten) -> Merged:
    """Add Posts to a handle's file. Raises InputError or RosterError if that cannot be, and changes nothing then."""
    path = place(pattern, handle)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent) as storage:
        before = _known(path, handle)
        forgotten = gone.among(before.keys() | {post.tweet_id for post in posts})
        rows = {tweet_id: dict(row) for tweet_id, row in before.items() if tweet_id not in forgotten}
        stays = [post for post in posts if post.tweet_id not in forgotten]
        for post in stays:
            _add(rows, post, handle, found_in)
        if rows != before:
            storage.write_whole(path, _written(rows))
    new, left_out = len(rows.keys() - before.keys()), len(posts) - len(stays)
    return Merged(handle=handle, path=path, tweets=len(rows), new=new, left_out=left_out)


def files(pattern: str) -> list[Path]:
    """Return the files of the roster that the program has written."""
    found, _ = roster_files.find(pattern)
    return [path for path in found if path.name.endswith(SYNCED)]


def names(path: Path, erased: Erased) -> int:
    """Return how many rows of a file are of some Tweets. Raises RosterError for a bad file."""
    return len(_known(path, path.name.removesuffix(SYNCED)).keys() & erased.ids)


def clear(pattern: str, erased: Erased) -> Cleared:
    """Take Tweets out of all files that the program has written."""
    changes, unread = [], []
    for path in files(pattern):
        try:
            before, after = (sha256(content).hexdigest() for content in _forget(path, erased))
            if after != before:
                changes.append(Change(path=str(path.absolute()), before=before, after=after))
        except RosterError as error:
            unread.append(str(error))
        except OSError as error:
            unread.append(f"{path} cannot be changed: {error.strerror}; get permission to write it")
    return Cleared(changes=tuple(changes), unread=tuple(unread))


def _forget(path: Path, erased: Erased) -> tuple[bytes, bytes]:
    """Take Tweets out of a file, and mask what names them elsewhere; return what it held, and what it holds.

    Raises RosterError for a bad file, OSError for one that cannot be written.
    """
    with _alone(path.parent) as storage:
        before = _known(path, path.name.removesuffix(SYNCED))
        rows = {
            tweet_id: {name: erased.masked(value) for name, value in row.items()}
            for tweet_id, row in before.items()
            if tweet_id not in erased.ids
        }
        held = storage.read(path)
        holds = held if rows == before else _written(rows)
        if holds != held:
            storage.write_whole(path, holds)
    return held, holds


@contextmanager
def _alone(folder: Path) -> Iterator[LocalStorage]:
    """Be the only one that writes files of the roster into a folder."""
    storage = LocalStorage(folder)
    with storage.lock("roster", waiting=lambda _: logger.warning("another command writes the roster: waiting for it")):
        storage.sweep_unfinished(folder, f"*{SYNCED}.*")
        yield storage


def _add(rows: dict[int, dict[str, str]], post: Post, handle: str, found_in: str) -> None:
    """Add a Post, or fill what its row lacks."""
    row = rows.setdefault(post.tweet_id, {TWEET_ID: str(post.tweet_id), HANDLE: handle})
    for name, value in post.columns().items():
        row[name] = row.get(name) or value
    if row.get(FOUND_IN, "") not in COMPLETE:
        row[FOUND_IN] = found_in if found_in in COMPLETE else row.get(FOUND_IN) or found_in


def _known(path: Path, handle: str) -> dict[int, dict[str, str]]:
    if not path.exists():
        return {}
    source = roster_files.read(path, {handle})
    assert source  # only a .txt file may be no roster
    good, bad = roster_rows.judged(source, {handle})
    if bad:
        raise RosterError(
            f"{bad[0].place} {bad[0].text}; correct it, since nothing is written to a file with rows that are lost then"
        )
    named = source.table.column_names
    columns = [source.table[name].to_pylist() for name in named]
    texts = [dict(zip(named, (value or "" for value in row), strict=True)) for row in zip(*columns, strict=True)]
    return {int(tweet_id): texts[row] for row, tweet_id in zip(good.rows, good.ids, strict=True)}


def _written(rows: Mapping[int, Mapping[str, str]]) -> bytes:
    """Return the file, the newest Tweet first."""
    further = dict.fromkeys(name for row in rows.values() for name in row)
    names = list(dict.fromkeys([TWEET_ID, HANDLE, *COLUMNS, FOUND_IN, *further]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[tweet_id] for tweet_id in sorted(rows, reverse=True))
    return text.getvalue().encode(errors="replace")  # half of a surrogate pair, which JSON can write
