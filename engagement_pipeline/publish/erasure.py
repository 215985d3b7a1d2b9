"""Tweets forgotten, and their media: gone from every file of the lakes of all sources, and kept away.

In: the outer lake, and Tweets. Out: a Receipt: each file that was rewritten or removed, with its hashes.

    forgotten.json: going ─> marts, removed ─> raw, rewritten ─> tables ─> logs ─> raw that goes ─> reports, removed ─>
    files beside the lake ─> the receipt ─> forgotten.json: gone

From the first file on, nothing brings them back: no plan asks for them, and no publication takes them from raw. Each
file is whole before and after. Whatever stops it, the next one finds in forgotten.json that they are going, and does
what is left: each step leaves a file alone that it has done. A response that gets another name is there under both
until the tables name the new one.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.erased import Change, Erased, nothing_beside
from engagement_pipeline.core.errors import LakeError, advice
from engagement_pipeline.lake import forgotten, shapes
from engagement_pipeline.lake.layout import LAKE_LOCK, PULL_LOCK
from engagement_pipeline.lake.recovery import recover
from engagement_pipeline.publish import erasure_raw, erasure_reports, erasure_tables, receipts
from engagement_pipeline.publish.erasure_media import of_tweets_alone
from engagement_pipeline.publish.receipts import Receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.erased import Beside, Cleared
    from engagement_pipeline.lake.layout import Lake

logger = logging.getLogger(__name__)
RESPONSES, REPORTS = "responses", "reports"  # what raw and saved files hold, beside the names of tables


@dataclass(slots=True)
class _Changes:
    """The changes so far, and the files that could not be read."""

    made: list[Change] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def add(self, cleared: Cleared) -> None:
        """Add what was done to further files."""
        self.made += cleared.changes
        self.unread += cleared.unread


def found(home: Lake, tweets: Collection[int]) -> dict[str, int]:
    """Return what there is of Tweets: rows by table, lines of the log, responses, and reports. It changes nothing."""
    erased, held = Erased(of_tweets_alone(home, tweets).union(tweets)), Counter[str]()
    for lake in home.of_each_source:
        held += _found(lake, erased)
    held[REPORTS] = erasure_reports.found(home, erased)
    return {name: number for name, number in held.items() if number}


def _found(lake: Lake, erased: Erased) -> Counter[str]:
    held = Counter[str]()
    for table, path in erasure_tables.files(lake):
        with suppress(LakeError):  # it is told when they are forgotten
            held[table.name] += erasure_tables.held(lake, path, erased, moved={}).rows
    for table, path in erasure_tables.logs(lake):
        held[table.name] += erasure_tables.log_without(lake, path, erased)[0]
    for path in erasure_raw.files(lake):
        held[RESPONSES] += erasure_raw.names(lake, path, erased)
    return held


def forget(home: Lake, tweets: Collection[int], *, now: datetime, beside: Beside = nothing_beside) -> Receipt:
    """Remove Tweets from the lakes, with those that an earlier one that was stopped has left; LakeError if it stops.

    `beside` takes them out of files that are no part of a lake. It waits for pulls and publications to end. Where there
    is no Tweet to remove, no receipt is kept.
    """
    changes = _Changes()
    try:
        with _alone(home) as lakes:
            known = forgotten.load(home).begun(of_tweets_alone(home, tweets).union(tweets))
            erased = Erased(known.going)
            forgotten.save(home, known)
            if known.going:
                _remove_marts(home, changes)
                for lake in lakes:
                    _erase(lake, erased, now, changes)
                changes.add(erasure_reports.clear(home, erased))
                changes.add(beside(erased))
            receipt = Receipt(
                at=now,
                path=receipts.free(home, now),
                tweets=tuple(map(known.hash_of, sorted(known.going))),
                changes=tuple(changes.made),
                unread=tuple(changes.unread),
            )
            if known.going:
                receipts.save(home, receipt, erased)
            forgotten.save(home, known.finished(now))
    except OSError as error:
        raise LakeError(
            f"{error.filename or home.root} cannot be used: {error.strerror}; the Tweets are not gone from all "
            f"files yet, and none comes back. {advice(error, 'run again: that goes on')}"
        ) from error
    return receipt


@contextmanager
def _alone(home: Lake) -> Iterator[tuple[Lake, ...]]:
    """Have the lakes of all sources, in none of which anybody else changes a file; a lake of a new source waits."""
    with ExitStack() as stack:
        stack.enter_context(home.locked(PULL_LOCK, "a pull"))
        lakes = home.of_each_source
        for lake in lakes[1:]:
            stack.enter_context(lake.locked(PULL_LOCK, "a pull"))
        for lake in lakes:
            stack.enter_context(lake.locked(LAKE_LOCK, "a publication"))
            recover(lake, sources.read, locks=(LAKE_LOCK, PULL_LOCK))
            stack.enter_context(lake.locked(shapes.LOCK, "a look at what is new"))
        yield lakes


def resume(home: Lake, *, now: datetime, beside: Beside = nothing_beside) -> None:
    """Go on where a removal of Tweets was stopped, if one was; `beside` is as `forget` has it."""
    if forgotten.load(home).going:
        receipt = forget(home, (), now=now, beside=beside)
        if receipt.tweets:  # else it was not stopped: another process has ended it, and was waited for
            logger.warning(
                "a removal of %d Tweets that was stopped has gone on: %d files are changed; %s has the receipt",
                len(receipt.tweets),
                len(receipt.changes),
                receipt.path,
            )


def _remove_marts(home: Lake, changes: _Changes) -> None:
    """Remove the files of marts, which hold Tweets and sums over them; the next refresh of the views makes new ones."""
    for path in home.marts:
        changes.made.append(Change(path=_name(home, path), before=_hash(home, path), after=""))
        home.storage.remove(path)


def _erase(lake: Lake, erased: Erased, now: datetime, changes: _Changes) -> None:
    """Remove Tweets from all files of a lake."""
    leaving = [*_rewrite_raw(lake, erased, now, changes)]
    moved = {_name(lake, path): _name(lake, target) for path, target in leaving if path != target}
    for _, path in erasure_tables.files(lake):
        _rewrite_table(lake, path, erased, moved, changes)
    for _, path in erasure_tables.logs(lake):
        named, content = erasure_tables.log_without(lake, path, erased)
        if named:
            before = _hash(lake, path)
            lake.storage.write_whole(path, content)
            changes.made.append(_change(lake, path, before))
    for path, _ in leaving:
        name = erased.masked(_name(lake.home, path))  # it may be that of a Tweet
        changes.made.append(Change(path=name, before=_hash(lake, path), after=""))
        lake.storage.remove(path)


def _rewrite_raw(lake: Lake, erased: Erased, now: datetime, changes: _Changes) -> Iterator[tuple[Path, Path]]:
    """Write the responses that stay; yield the files that are to go, each with the one that takes its place, or it."""
    for path in [*erasure_raw.files(lake)]:
        try:
            new = erasure_raw.without(lake, path, erased, now=now)
        except LakeError as error:
            changes.unread.append(str(error))
            continue
        if new is None:
            continue
        if new.content is not None:
            before = _hash(lake, new.path)
            lake.storage.make_folder(new.path.parent)
            lake.storage.write_whole(new.path, new.content)
            changes.made.append(_change(lake, new.path, before))
        if new.content is None or new.path != path:
            yield path, new.path


def _rewrite_table(lake: Lake, path: Path, erased: Erased, moved: dict[str, str], changes: _Changes) -> None:
    """Put a file of a table in its place without the Tweets, if it holds any."""
    try:
        if not erasure_tables.held(lake, path, erased, moved=moved).changes:
            return
        before = _hash(lake, path)
        with lake.storage.staging(lake.staging):
            lake.storage.swap({erasure_tables.stage(lake, path, erased, moved=moved): path})
    except LakeError as error:
        changes.unread.append(str(error))
        return
    changes.made.append(_change(lake, path, before))


def _change(lake: Lake, path: Path, before: str) -> Change:
    return Change(path=_name(lake.home, path), before=before, after=_hash(lake, path))


def _name(lake: Lake, path: Path) -> str:
    return str(path.relative_to(lake.root))


def _hash(lake: Lake, path: Path) -> str:
    if not lake.storage.exists(path):
        return ""
    digest = sha256()
    for line in lake.storage.lines(path):
        digest.update(line)
    return digest.hexdigest()
