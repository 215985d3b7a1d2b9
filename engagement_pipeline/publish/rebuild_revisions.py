"""What a rebuild finds a pull to have revised, added to what is known of it.

In: a lake, its shadow in which the pull is published again, and what was known of the days. Out: the pull's file of
revisions, with all that stood in it and what it lacked.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.tables import COVERAGE, REVISIONS
from engagement_pipeline.lake.parquet import is_sound, read, write
from engagement_pipeline.publish.revisions import joined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.publish.rebuild_days import Known

logger = logging.getLogger(__name__)
TAKEN = "engagements_as_of and settling take its new counts for those of before"
# What a pull made again is found to revise, as far as raw proves it. Of a Tweet's day with a gap, that is only a change
# between two answers behind the gap; a count that seems to be added may have been there before.
PROVEN = """
    select found.*
    from found left join gaps using (tweet_id, day)
    where gone_at is null or (old is not null and old_pulled_at > gone_at)
"""


def add_found(lake: Lake, shadow: Lake, pull: Pull, days: Sequence[Known]) -> list[Path]:
    """Add to what a pull is known to have revised what it is found to have revised now, on these of its days.

    A damaged file is made anew where all its days are there, and returned; what raw cannot prove of it is told.
    """
    made, target = shadow.revisions(pull), lake.revisions(pull)
    sound = is_sound(lake, target, REVISIONS)
    if not days or (not sound and len(days) < len(pull.days())) or (sound and not shadow.storage.exists(made)):
        return []
    known = read(lake, target, REVISIONS) if sound else REVISIONS.schema.empty_table()
    both = joined(known, _found(shadow, made, days))
    if not sound or len(both) > len(known):
        with lake.storage.staging(lake.staging):
            staged = lake.staging / "revisions.parquet"
            write(both, staged, REVISIONS)
            lake.storage.swap({staged: target})
    if sound:
        return []
    unproven = sum(_first_behind_gap(shadow, pull, known) for known in days)
    if unproven:
        logger.warning(
            "%s was damaged, and raw lacks what was there before of up to %s Tweet days: what it revised of them is "
            "lost, and %s",
            target,
            f"{unproven:,}",
            TAKEN,
        )
    return [target]


def _first_behind_gap(shadow: Lake, pull: Pull, known: Known) -> int:
    """Count the Tweets of a day with a gap behind which a pull, or a later one, has the first answer."""
    made = read(shadow, shadow.coverage(known.endpoint, known.day), COVERAGE)
    behind = pc.is_in(made["tweet_id"], known.unproven["tweet_id"])
    first = pc.greater_equal(made["first_pulled_at"], pa.scalar(pull.started_at, TIMESTAMP))
    return int(pc.sum(pc.and_(behind, first)).as_py() or 0)


def _found(shadow: Lake, made: Path, days: Sequence[Known]) -> pa.Table:
    """Return what raw proves that a pull made again revised."""
    gaps = [known.unproven.append_column("day", pa.repeat(pa.scalar(known.day), len(known.unproven))) for known in days]
    with duckdb.connect() as connection:
        connection.register("found", read(shadow, made, REVISIONS))
        connection.register("gaps", pa.concat_tables(gaps))
        return connection.sql(PROVEN).to_arrow_table().cast(REVISIONS.schema)


def drop_damaged(lake: Lake, pulls: Sequence[Pull]) -> None:
    """Remove damaged files of what pulls revised that are not in raw any more: no view could be read with them."""
    in_raw = {lake.revisions(pull) for pull in pulls}
    for path in lake.storage.find(REVISIONS.glob):
        if path not in in_raw and not is_sound(lake, path, REVISIONS):
            lake.storage.remove(path)
            logger.warning(
                "%s was damaged, and its pull is not in raw any more: what it revised is lost, and %s", path, TAKEN
            )
