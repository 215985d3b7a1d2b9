"""Tables made anew from what has landed: no request, and no row lost whose response is gone.

In: a lake, one of its tables, and days. Out: the days' files, and what was found of each. The days of a month of
/historical are replaced together, with the month's file of daily sums; those of the other tables one after another.

    raw ──> published again into .rebuild/, a lake of its own without rows ──> merged over what is published

What landed is published there in the order in which it was pulled, so counts, coverage and revisions come out as they
once did. A Tweet whose newest answer is not in raw any more keeps its rows, and so does every single count that raw
does not hold; the report names them. A file that is damaged is taken for one without rows. recent.parquet is one for
all days and is made of raw alone, since what it holds is provisional; set_aside.parquet is left alone.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core import tables
from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Progress, quiet
from engagement_pipeline.core.tables import COVERAGE, DAILY, STORED, TABLES
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import is_sound, opened, read, write
from engagement_pipeline.publish import daily, revisions
from engagement_pipeline.publish.day_file import DayFile, SortedReader
from engagement_pipeline.publish.merge import LAST_ID, in_order, of_table
from engagement_pipeline.publish.publisher import publish_days
from engagement_pipeline.publish.snapshots import RECENT_RAW

if TYPE_CHECKING:
    from pathlib import Path

    from engagement_pipeline.lake.raw import Pull

logger = logging.getLogger(__name__)
LOST = "lost"  # the outcome of a Tweet that was stored, and whose rows are neither in its file nor in raw any more
# What raw says of a Tweet's day, else what was known of it; and how many rows there are now, but of those that only the
# present is asked for: there, how many its answer gave.
MERGE_COVERAGE = f"""
    with merged as (
        select
            tweet_id, day,
            coalesce(new.asked_at, old.asked_at) as asked_at,
            coalesce(new.outcome, old.outcome) as outcome,
            if(new.outcome is null, old.text, new.text) as text,
            least(new.first_pulled_at, old.first_pulled_at) as first_pulled_at,
            if(new.outcome is null, old.pulled_at, new.pulled_at) as pulled_at,
            if($counts, coalesce(counted.rows, 0), coalesce(new.rows, old.rows))::integer as rows,
            if(new.outcome is null, old.source, new.source) as source
        from new full outer join old using (tweet_id, day) left join counted using (tweet_id)
    )
    select
        tweet_id, day, asked_at,
        if(rows = 0 and outcome = '{STORED}', '{LOST}', outcome) as outcome,
        text, first_pulled_at,
        if(rows > 0, pulled_at, null) as pulled_at,
        rows,
        if(rows > 0, source, null) as source
    from merged
    order by tweet_id
"""
# What a pull made again is found to revise. Where the first answers for a Tweet's day are not in raw any more, a count
# that seems to be added may have been there before.
REVISED_ANEW = """
    select found.*
    from found
    join remade using (tweet_id, day)
    left join known using (tweet_id, day)
    where found.old is not null or known.first_pulled_at is null or remade.first_pulled_at <= known.first_pulled_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What rebuilding one day of a table came to.

    `rows` are all that it has now; of recent.parquet, the first day's are those of all days. `kept` are the Tweets of
    which some rows stay that raw does not hold any more, with the number of these rows; `lost` are those of which some
    rows stood in a damaged or missing file alone. `changed` tells whether the table has another content than before,
    `damaged` names the files that could not be read.
    """

    endpoint: str
    day: date
    rows: int
    kept: dict[int, int]
    lost: tuple[int, ...]
    changed: bool
    damaged: tuple[Path, ...]


def rebuild_table(
    lake: Lake, endpoint: str, *, first: date | None = None, last: date | None = None, progress: Progress = quiet
) -> list[Rebuilt]:
    """Make the table of an endpoint anew for the UTC days `first` to `last`, by default for all that it has.

    `progress` gets pulls done and pulls in all. Raises LakeError where a response is damaged or a file cannot be
    written; the months that are not done yet are then as they were.
    """
    lake.open(create=False, older=True)
    with lake.locked("lake", "a publication"):
        known = _days(lake, endpoint)
        days = [day for day in known if (first is None or first <= day) and (last is None or day <= last)]
        if endpoint == RECENT and days:
            days = known
        shadow = Lake(lake.root / ".rebuild")
        shutil.rmtree(shadow.root, ignore_errors=True)  # of a rebuild that was killed
        try:
            shadow.open()
            bases = {day: _Base.of(lake, endpoint, day) for day in days}
            for day, base in bases.items():
                base.write(shadow, endpoint, day)
            pulls = _pulls(lake, endpoint)
            for done, pull in enumerate(pulls, start=1):
                of_pull = [day for day in pull.days() if day in bases]
                if of_pull:
                    publish_days(shadow, pull, of_pull, sums=False)
                progress(done, len(pulls))
            for pull in pulls:
                _save_revisions(lake, shadow, pull, bases)
            if endpoint == HISTORICAL and days == known:
                _drop_damaged_revisions(lake, pulls)
            _stand_in(lake, shadow, endpoint, bases)
            return [
                day
                for _, together in groupby(bases, lake.daily if endpoint == HISTORICAL else None)
                for day in _merged(lake, shadow, endpoint, {day: bases[day] for day in together})
            ]
        except OSError as error:
            raise LakeError(f"{error.filename or lake.root} cannot be written: {error.strerror}") from error
        finally:
            shutil.rmtree(shadow.root, ignore_errors=True)
            shutil.rmtree(lake.aside, ignore_errors=True)


def _days(lake: Lake, endpoint: str) -> list[date]:
    """Return the days of a table of which anything is known, in order."""
    pulled = {day for pull in _pulls(lake, endpoint) for day in pull.days()}
    folders = lake.coverage(endpoint, date.min).parent.parent.glob("day=*")
    return sorted(pulled | {date.fromisoformat(folder.name.removeprefix("day=")) for folder in folders})


def _pulls(lake: Lake, endpoint: str) -> list[Pull]:
    """Return the pulls that the table is made of, oldest first."""
    pulls = raw.all_pulls(lake.raw, endpoint)
    if endpoint == RECENT and pulls:
        pulls = [pull for pull in pulls if pull.started_at > pulls[-1].started_at - RECENT_RAW]
    return pulls


@dataclass(frozen=True, slots=True)
class _Base:
    """What is known of a day before it is made again, read when it is asked for: of many days, it is large.

    `rows` tells whether there is a sound file of them, `damaged` names the files that are not.
    """

    lake: Lake
    path: Path
    rows: bool
    damaged: list[Path]

    @classmethod
    def of(cls, lake: Lake, endpoint: str, day: date) -> _Base:
        """Look through a day's coverage and rows."""
        path, rows = lake.coverage(endpoint, day), lake.rows(endpoint, day)
        damaged = [path] if _coverage(path) is None else []
        damaged += [] if is_sound(rows, TABLES[endpoint]) else [rows]
        return cls(lake, path, rows.exists() and rows not in damaged, damaged)

    @property
    def coverage(self) -> pa.Table:
        """All of the day's coverage."""
        coverage = _coverage(self.path)
        return COVERAGE.empty_table() if coverage is None else coverage

    @property
    def gone(self) -> pa.Table:
        """The coverage of which raw holds no more."""
        coverage = self.coverage
        sources = pc.unique(coverage["source"].drop_null())
        missing = [source for source in sources.to_pylist() if not (self.lake.root / source).exists()]
        return coverage.filter(pc.is_in(coverage["source"], pa.array(missing, pa.string())))

    def write(self, shadow: Lake, endpoint: str, day: date) -> None:
        """Let rows whose answer raw does not hold stand in the way of older answers."""
        path = shadow.coverage(endpoint, day)
        path.parent.mkdir(parents=True)
        write(self.gone if self.rows else COVERAGE.empty_table(), path)

    def lost(self, endpoint: str, now: dict[int, int]) -> tuple[int, ...]:
        """Return the Tweets that have lost rows, of those that they have `now`."""
        if endpoint == RECENT:
            return ()
        found = set() if self.rows else {*self.gone["tweet_id"].to_pylist()}
        if endpoint == HISTORICAL:  # of the other, a later answer replaces an earlier one whole
            coverage = self.coverage
            known = zip(coverage["tweet_id"].to_pylist(), coverage["rows"].to_pylist(), strict=True)
            found |= {tweet for tweet, rows in known if now.get(tweet, 0) < rows}
        return tuple(sorted(found))


def _coverage(path: Path) -> pa.Table | None:
    """Read a day's coverage, None where it is damaged; in format 1 it did not say when a day was pulled first."""
    if is_sound(path, COVERAGE):
        return read(path, COVERAGE)
    place = COVERAGE.names.index("first_pulled_at")
    if not is_sound(path, COVERAGE.remove(place)):
        return None
    older = read(path, COVERAGE.remove(place))
    return older.add_column(place, COVERAGE.field(place), older["pulled_at"])


def _stand_in(lake: Lake, shadow: Lake, endpoint: str, bases: dict[date, _Base]) -> None:
    """Where recent.parquet is damaged and raw has nothing to make it of, let it be one without rows."""
    for day, base in bases.items():
        made = shadow.rows(RECENT, day)
        if endpoint == RECENT and lake.rows(RECENT, day) in base.damaged and not made.exists():
            write(TABLES[RECENT].empty_table(), made)


def _save_revisions(lake: Lake, shadow: Lake, pull: Pull, bases: dict[date, _Base]) -> None:
    """Add to what a pull is known to have revised what it is found to have revised now.

    A damaged file is made anew where all its days are, and named with the first of them.
    """
    made, target = shadow.revisions(pull), lake.revisions(pull)
    days = [day for day in pull.days() if day in bases]
    sound = is_sound(target, tables.REVISIONS)
    if not days or (not sound and len(days) < len(pull.days())) or (sound and not made.exists()):
        return
    known = read(target, tables.REVISIONS) if sound else tables.REVISIONS.empty_table()
    with duckdb.connect() as connection:
        connection.register("found", read(made, tables.REVISIONS))
        connection.register("remade", pa.concat_tables(read(shadow.coverage(pull.endpoint, d), COVERAGE) for d in days))
        connection.register("known", pa.concat_tables(bases[day].coverage for day in days))
        found = connection.sql(REVISED_ANEW).to_arrow_table().cast(tables.REVISIONS)
    both = revisions.joined(known, found)
    if not sound:
        bases[days[0]].damaged.append(target)
    if not sound or len(both) > len(known):
        shutil.rmtree(lake.aside, ignore_errors=True)
        lake.aside.mkdir()
        aside = lake.aside / "revisions.parquet"
        write(both, aside)
        lake.replace({aside: target})


def _drop_damaged_revisions(lake: Lake, pulls: list[Pull]) -> None:
    """Remove damaged files of what pulls revised that are not in raw any more: no view could be read with them."""
    in_raw = {lake.revisions(pull) for pull in pulls}
    for path in lake.root.glob("revisions/*/*.parquet"):
        if path not in in_raw and not is_sound(path, tables.REVISIONS):
            path.unlink()
            logger.warning("%s was damaged, and its pull is not in raw any more: what it revised is lost", path)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A day's rows made again: the files to rename, how many each Tweet has now, and how many of these are kept.

    `daily` is where their sums are, if there are any.
    """

    files: dict[Path, Path]
    now: dict[int, int]
    kept: dict[int, int]
    changed: bool
    daily: Path | None = None


def _merged(lake: Lake, shadow: Lake, endpoint: str, bases: dict[date, _Base]) -> list[Rebuilt]:
    """Put days that were made again over the published ones, all at once, and say what came of each."""
    shutil.rmtree(lake.aside, ignore_errors=True)
    lake.aside.mkdir()
    month = lake.daily(min(bases))
    if endpoint == HISTORICAL and not is_sound(month, DAILY):
        bases[min(bases)].damaged.append(month)
    files: dict[Path, Path] = {}
    sums: dict[date, Path | None] = {}
    reports = []
    for day, base in bases.items():
        published = lake.aside / "none" if lake.rows(endpoint, day) in base.damaged else lake.rows(endpoint, day)
        rows = {HISTORICAL: _history, TOTALS: _totals, RECENT: _recent}[endpoint](lake, shadow, day, published)
        aside = lake.aside / f"{day}.coverage.parquet"
        _write_coverage(base.coverage, read(shadow.coverage(endpoint, day), COVERAGE), rows.now, endpoint, into=aside)
        files |= rows.files | {aside: lake.coverage(endpoint, day)}
        sums[day] = rows.daily
        reports.append(
            Rebuilt(
                endpoint=endpoint,
                day=day,
                rows=sum(rows.now.values()),
                kept=rows.kept,
                lost=base.lost(endpoint, rows.now),
                changed=rows.changed,
                damaged=tuple(base.damaged),
            )
        )
    lake.replace((daily.write_months(lake, sums) if endpoint == HISTORICAL else {}) | files)
    return reports


def _write_coverage(old: pa.Table, new: pa.Table, now: dict[int, int], endpoint: str, *, into: Path) -> None:
    """Write what is known of a day, with the rows that its Tweets have now."""
    with duckdb.connect() as connection:
        connection.register("old", old)
        connection.register("new", new)
        counted = pa.table({"tweet_id": pa.array(now, pa.int64()), "rows": pa.array(now.values(), pa.int64())})
        connection.register("counted", counted)
        merged = connection.sql(MERGE_COVERAGE, params={"counts": endpoint != RECENT})
        coverage = merged.to_arrow_table().cast(COVERAGE)
    write(coverage, into)


def _history(lake: Lake, shadow: Lake, day: date, published: Path) -> _Rows:
    made = shadow.rows(HISTORICAL, day)
    now: dict[int, int] = {}
    kept: dict[int, int] = {}
    with ExitStack() as stack:
        remade, known = (stack.enter_context(closing(SortedReader(path))) for path in (made, published))
        newest = max(remade.newest_pull or "", known.newest_pull or "", key=_begun)
        file = DayFile(lake, day, newest_pull=newest, published=published, anew=True)
        stack.enter_context(closing(file))
        for tweet in remade.row_group_ends(LAST_ID):
            new = of_table(remade.up_to(tweet))
            rows, _ = file.take(tweet, new)
            tweets, numbers = rows.by_tweet()
            now |= dict(zip(tweets.tolist(), numbers.tolist(), strict=True))
            of_raw, in_raw = new.by_tweet()
            numbers[np.searchsorted(tweets, of_raw)] -= in_raw
            kept |= dict(zip(tweets[numbers > 0].tolist(), numbers[numbers > 0].tolist(), strict=True))
        staged = file.finish()
        return _Rows(staged.files, now, kept, staged.changed, staged.sums)


def _begun(pull: str) -> str:
    """Return what sorts pulls by the time at which they were begun, of their names."""
    return pull.rpartition("/")[2]


def _totals(lake: Lake, shadow: Lake, day: date, published: Path) -> _Rows:
    schema = TABLES[TOTALS]
    new, old = read(shadow.rows(TOTALS, day), schema), read(published, schema)
    stays = old.filter(pc.invert(pc.is_in(old["tweet_id"], new["tweet_id"])))
    rows, target = in_order(pa.concat_tables([new, stays])), lake.rows(TOTALS, day)
    aside = lake.aside / "rows.parquet"
    write(rows, aside)
    files = {aside: target} if len(rows) or target.exists() else {}
    return _Rows(files, _by_tweet(rows), _by_tweet(stays), changed=not _equal(rows, old))


def _by_tweet(rows: pa.Table) -> dict[int, int]:
    counted = rows["tweet_id"].value_counts()
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _recent(lake: Lake, shadow: Lake, day: date, published: Path) -> _Rows:
    """Take the file as it was made; it is one for all days, so that the first takes it."""
    made = shadow.rows(RECENT, day)
    if not made.exists():
        return _Rows({}, {}, {}, changed=False)
    now: Counter[int] = Counter()
    with opened(made) as new, ExitStack() as stack:
        old = stack.enter_context(opened(published)) if published.exists() else None
        changed = old is None or old.num_row_groups != new.num_row_groups
        for group in range(new.num_row_groups):
            rows = new.read_row_group(group)
            now.update(_by_tweet(rows))
            changed = changed or old is None or not _equal(rows, old.read_row_group(group))
    return _Rows({made: lake.rows(RECENT, day)}, now, {}, changed=changed)


def _equal(some: pa.Table, others: pa.Table) -> bool:
    """Tell whether tables hold the same rows in the same order, whatever dictionaries they were written with."""
    plain = pa.schema(
        [field.with_type(pa.string()) if field.name == "engagement_type" else field for field in some.schema]
    )
    return bool(some.cast(plain).equals(others.select(some.schema.names).cast(plain)))
