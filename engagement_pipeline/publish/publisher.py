"""Landed responses -> the tables; the newest answer wins, and nothing is ever added up.

In: the pulls whose responses are not all in the tables. Out: the days' Parquet files, replaced together.

    pending ──> hourly, or snapshots ──> coverage ──> set_aside ──> all renamed at once

A publication runs under the lake lock from its first read to its last rename, so two never interleave. What was
asked for and what came of it goes to coverage/. That is the index: it tells which answers are newer than the tables,
and no older response need be read.

What was revised and the daily sums are put in their places before the rows, and the rows before the coverage that
says when they were asked for. Each is on the disk before the next. If a publication is stopped in between, by a power
cut too, the next one finds the coverage older than what has landed, and writes the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.errors import LakeError, PublishError, advice
from engagement_pipeline.core.model import Plan, Progress, Window, quiet
from engagement_pipeline.core.table import Merge
from engagement_pipeline.core.tables import MISSING, STORED
from engagement_pipeline.lake import raw, set_aside
from engagement_pipeline.lake.layout import LAKE_LOCK
from engagement_pipeline.lake.recovery import recover
from engagement_pipeline.lake.set_aside import SetAside
from engagement_pipeline.lake.states import SwapError
from engagement_pipeline.publish import coverage, daily, hourly, snapshots
from engagement_pipeline.publish.coverage import BEFORE_POSTED
from engagement_pipeline.publish.merge import NEVER
from engagement_pipeline.publish.pending import Pending
from engagement_pipeline.publish.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.publish.staging import Staged


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing one pull came to: Tweets asked for = stored + set aside + unanswered, these with a reason.

    `revised` counts the counts that were there with another value, or not there beside others of their Tweet's day;
    `days_written` are those whose rows it changed. `early` counts the rows of hours before their Tweet was posted,
    none of them zero.
    """

    pull: Pull
    requested: int
    stored: frozenset[int]
    set_aside: dict[int, str]
    unanswered: dict[int, str]
    revised: int
    days_written: tuple[date, ...]
    early: int


def publish_pulls(lake: Lake, *, workers: int = 1, progress: Progress = quiet) -> list[Publication]:
    """Bring the tables up to what has landed; one Publication for each pull that was not in them yet.

    Up to so many `workers` are processes of their own, where the rows are worth it; what they write is the same.

    `progress` gets Tweets done and Tweets in all, anew for each pull. Raises LakeError where a file cannot be read or
    written, which says what is new by then. If it is a damaged file of one day, only that day is as it was, and
    PublishError says so in the end. Its pulls stay open, so that the next publication takes the day up.
    """
    lake.open()
    publications = []
    failures: dict[date, LakeError] = {}
    with lake.locked(LAKE_LOCK, "a publication"), Workers(workers) as shared:
        recover(lake, sources.read)
        for pull in raw.open_pulls(lake):
            made, damaged = publish_sound(lake, pull, pull.days(), workers=shared, progress=progress)
            publications += made
            failures |= damaged
            if pull.finished and failures.keys().isdisjoint(pull.days()):
                pull.marked(published=True)
    if failures:
        raise PublishError(failures)
    return publications


def of_plans(plans: Sequence[Plan], publications: Sequence[Publication]) -> list[Publication]:
    """Return those of the pulls of these plans: a pull that stopped earlier is published too, and was told of then.

    Of several pulls of a window, the plan's own is the newest, and so the last. Where the API has refused the first
    days of a window as too old, the pull that goes on with the others is the plan's too.
    """
    newest = {(each.pull.endpoint, each.pull.window): each for each in publications}
    own = [newest[window] for each in plans if (window := (each.endpoint, each.window)) in newest]
    return [
        each
        for each in publications
        if each is newest[each.pull.endpoint, each.pull.window]
        and any(each is whole or _goes_on(each.pull, whole) for whole in own)
    ]


def _goes_on(pull: Pull, whole: Publication) -> bool:
    """Tell whether a pull was begun for the last days of a window that was asked for in vain."""
    before = whole.pull
    if pull.endpoint is not before.endpoint or not pull.window or not before.window or not whole.unanswered:
        return False
    of_last_days = before.window.first < pull.window.first and before.window.last == pull.window.last
    return of_last_days and pull.started_at >= before.started_at


def publish_sound(
    lake: Lake, pull: Pull, days: Sequence[date], *, workers: Workers, progress: Progress = quiet
) -> tuple[list[Publication], dict[date, LakeError]]:
    """Publish these days of a pull, but for those with a damaged file; return these with what is damaged.

    The caller holds the lake lock. A publication takes days that follow one another, so there is one for those before
    and one for those after.
    """
    try:
        return [publish_part(lake, pull, days, workers=workers, progress=progress)] if days else [], {}
    except LakeError as error:
        if error.day is None or error.day not in days:
            raise
        publications, failures = [], {error.day: error}
        place = days.index(error.day)
        for part in (days[:place], days[place + 1 :]):
            made, damaged = publish_sound(lake, pull, part, workers=workers, progress=progress)
            publications += made
            failures |= damaged
        return publications, failures


def publish_part(
    lake: Lake, pull: Pull, days: Sequence[date], *, workers: Workers, sums: bool = True, progress: Progress = quiet
) -> Publication:
    """Bring days of a pull that follow one another into the tables, under the lake lock.

    `progress` gets Tweets done and Tweets in all. Without `sums`, `daily` is left alone, and rows that the coverage
    tells of may be missing. Raises LakeError where a file cannot be read or written; it says how many days are new.
    """
    pending = Pending.of(lake, pull, days)
    try:
        with lake.storage.staging(lake.staging):
            rows = _stage_rows(lake, pending, sums=sums, workers=workers, progress=progress)
            with coverage.staging(lake, pending, rows, workers) as staged:
                months = {} if rows.daily is None else daily.write_months(lake, rows.daily, days=days).files
                covered = staged()
            # With the sums before the rows, an interrupted publication, which finds the rows older, begins anew.
            last = _stage_set_aside(lake, pending, covered.newest) | covered.files
            lake.storage.swap({**rows.before, **months}, rows.files, last)
    except OSError as error:
        raise LakeError(
            f"{error.filename or lake.root} cannot be used ({error.strerror or error}): "
            f"{_came_to(lake, pending, error)}; what has landed is kept. "
            f"{advice(error, 'run again: that publishes the rest')}"
        ) from error
    return Publication(
        pull=pull,
        requested=covered.requested,
        stored=covered.stored,
        set_aside=covered.set_aside,
        unanswered=covered.unanswered,
        revised=rows.revised,
        days_written=rows.days_written,
        early=rows.early,
    )


def _came_to(lake: Lake, pending: Pending, stopped: OSError) -> str:
    """Say which of the days are new where the system stopped a publication of them."""
    pull, days = pending.pull, pending.days
    of_days = f"/{pull.endpoint} of {Window(days[0], days[-1])}"
    if not isinstance(stopped, SwapError) or not stopped.put:
        return f"the tables are as they were for {of_days}"
    rows = {lake.rows(pull.endpoint.table, day) for day in days}
    new, left = (len(rows.intersection(places)) for places in (stopped.put, stopped.left))
    told = f"{new} of {new + left} days that change are new" if new + left else "the rows are as they were"
    return f"{told} for {of_days}, and the tables do not agree yet"


def _stage_rows(lake: Lake, pending: Pending, *, sums: bool, workers: Workers, progress: Progress) -> Staged:
    """Stage the rows of the table that the pull's endpoint fills."""
    merge = pending.pull.endpoint.table.merge
    if sums and merge is not Merge.LATEST:  # its one file may be moved away
        _miss_none(lake, pending)
    if merge is Merge.CELL:
        return hourly.stage(lake, pending, sums=sums, workers=workers, progress=progress)
    return snapshots.stage(lake, pending, progress=progress)


def _miss_none(lake: Lake, pending: Pending) -> None:
    """Raise where rows that were published are gone: taken for none, they would be lost without a word."""
    told = [day for day, known in zip(pending.days, pending.known, strict=True) if (known.pulled_at > NEVER).any()]
    paths = {day: lake.rows(pending.pull.endpoint.table, day) for day in told}
    there = lake.storage.those(paths.values(), lake.storage.exists)
    for day, path in paths.items():
        if path not in there:
            raise LakeError(
                f"{path} is missing, and its coverage tells of rows: engagement rebuild --from {day} --to {day} "
                "makes it anew from raw",
                day=day,
            )


def _stage_set_aside(lake: Lake, pending: Pending, newest_words: pa.Table) -> dict[Path, Path]:
    """Stage the list of Tweets that the API would not serve, as far as this pull has the newest word."""
    heard = {}
    for word in newest_words.select(["tweet_id", "outcome", "text"]).to_pylist():
        tweet, newest = word["tweet_id"], pending.answers.newest(word["tweet_id"])
        if newest.unanswered:  # which says nothing of the Tweet
            continue
        heard[tweet] = SetAside(
            tweet_id=tweet,
            handle=newest.request.handle,
            endpoint=pending.pull.endpoint.name,
            reason="" if word["outcome"] in {STORED, MISSING, BEFORE_POSTED} else word["outcome"],
            text=word["text"],
            asked_at=newest.asked_at,
            tokens=newest.tokens,
        )
    staged = lake.staging / lake.set_aside.name
    return {staged: lake.set_aside} if set_aside.merge(lake, heard, into=staged) else {}
