"""The backlog: days of Tweets that no request has asked for, for example of a Tweet that is new in the roster.

In: the roster's files, and a lake's coverage. Out: a fingerprint of each file, to see which are new; and the windows
with missing days, each for one run. This module sends nothing. `missed` finds days that no Tweet has.

A Tweet is new since a moment if no answer about any of its days had come by then. So a Tweet stays new if a daily run
has asked for its last days before anybody looked. And a roster may be one file that grows.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from engagement_pipeline.core.endpoints import MAX_DAYS
from engagement_pipeline.core.errors import LakeError, RosterError
from engagement_pipeline.core.model import Tweet, Window, posted_at
from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.extract import roster, roster_files
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake, judged
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import ANSWERED, quoted
from engagement_pipeline.transport import accounts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from engagement_pipeline.core.settings import Settings

FOLLOWED = pa.schema([("tweet_id", pa.int64()), ("posted_at", TIMESTAMP)])
LACKING = f"""
    with days as (select unnest(generate_series(date {{first}}, date {{last}}, interval 1 day))::date as day)
    select tweet_id, day
    from days join followed on posted_at is null or posted_at < (day + 1)::timestamp at time zone 'UTC'
    anti join (select tweet_id, day from coverage where table_name = 'engagements' and {ANSWERED}) using (tweet_id, day)
    anti join (
        select tweet_id from coverage where table_name = 'engagements' and first_pulled_at <= timestamptz {{since}}
    ) using (tweet_id)
    anti join set_aside using (tweet_id)
"""
ANSWERED_IN = f"""
    select distinct tweet_id from coverage
    where table_name = 'engagements' and {ANSWERED} and day between {{first}} and {{last}}
"""
BEGUN = f"select 1 from coverage where table_name = 'engagements' and {ANSWERED} limit 1"


def fingerprints(settings: Settings) -> dict[str, str]:
    """Return a fingerprint of each file of the roster; it changes when the content does."""
    files, _ = roster_files.find(settings.tweets)
    try:
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}
    except OSError as error:
        raise RosterError(f"{error.filename} cannot be read: {error.strerror}") from None


def windows(settings: Settings, known: Mapping[str, str], *, since: datetime) -> list[Window]:
    """Return the windows to pull for Tweets that are new `since` a moment, the oldest window first.

    Only files that are new or have changed are looked at: those whose fingerprint is not in `known`. A window holds up
    to 28 days. It begins with the first day that a Tweet lacks since it was posted, and not before the setting
    first_day. Raises InputError if the roster or the accounts cannot be read.
    """
    changed = [file for file, text in fingerprints(settings).items() if known.get(file) != text]
    tweets = _tweets_of(settings, changed) if changed else []
    first, last = max(settings.first_day, settings.oldest_day()), settings.last_whole_day()
    if not tweets or first > last:
        return []
    by_source: dict[str, list[Tweet]] = defaultdict(list)
    for tweet in tweets:
        by_source[settings.sources_of(tweet.handle)[0]].append(tweet)
    lake, window = Lake(settings.data), Window(first, last)
    lacking = (_lacking(lake.of(source), some, window, since) for source, some in by_source.items())
    days = sorted({day for found in lacking for _, day in found})
    found: list[Window] = []
    for day in days:
        if found and day <= found[-1].first + timedelta(days=MAX_DAYS - 1):
            found[-1] = Window(found[-1].first, day)
        else:
            found.append(Window(day, day))
    return found


def missed(settings: Settings, first: date, known: Collection[date]) -> list[Window]:
    """Return the window between the last `known` day before `first`, and `first`; an empty list if no day is missing.

    The list is empty too if more than 28 days are missing: somebody pulled the last known day long ago, so this was no
    outage.
    """
    last_known = max((day for day in known if day < first), default=None)
    after = max(last_known + timedelta(days=1), settings.first_day, settings.oldest_day()) if last_known else first
    last = first - timedelta(days=1)
    return [Window(after, last)] if 0 <= (last - after).days < MAX_DAYS else []


def has_begun(settings: Settings) -> bool:
    """Tell whether a first answer has been published; before it, all Tweets of the roster lack all their days."""
    lake = judged(settings)
    return lake.storage.holds(f"coverage/endpoint={lake.hourly}/*") and bool(_asked(lake, BEGUN))


def had(lake: Lake, tweets: Sequence[Tweet], window: Window, *, since: datetime) -> set[Tweet]:
    """Return the Tweets that are not new `since` a moment, and those that lack no day of a window."""
    lacking = {tweet_id for tweet_id, _ in _lacking(lake, tweets, window, since)}
    return {tweet for tweet in tweets if tweet.tweet_id not in lacking}


def answered(lake: Lake, window: Window) -> set[int]:
    """Return the Tweets that have an answer for some day of a window."""
    first, last = (quoted(str(day)) for day in (window.first, window.last))
    return {tweet_id for (tweet_id,) in _asked(lake, ANSWERED_IN.format(first=first, last=last))}


def _tweets_of(settings: Settings, files: Iterable[str]) -> list[Tweet]:
    """Return the owned Tweets in some files of the roster. The whole roster must be readable."""
    handles = accounts.load(settings.accounts).by_handle
    whole = roster.load(settings.tweets, handles=handles, skip_bad_rows=settings.skip_bad_rows)
    chosen = {tweet_id for path in map(Path, files) if path in whole.files for tweet_id in whole.files[path].tolist()}
    gone = forgotten.load(Lake(settings.data)).among(chosen)
    return [tweet for tweet in whole.tweets if tweet.handle and tweet.tweet_id in chosen - gone]


def _lacking(lake: Lake, tweets: Iterable[Tweet], window: Window, since: datetime) -> list[tuple[int, date]]:
    """Return the Tweets and days that the source was never asked for, from the day on which a Tweet was posted."""
    lake.open()
    rows = [{"tweet_id": tweet.tweet_id, "posted_at": posted_at(tweet.tweet_id)} for tweet in tweets]
    first, last, moment = (quoted(str(when)) for when in (window.first, window.last, since))
    sql = LACKING.format(first=first, last=last, since=moment)
    found = _asked(lake, sql, followed=pa.Table.from_pylist(rows, schema=FOLLOWED))
    return [(row[0], row[1]) for row in found]


def _asked(lake: Lake, sql: str, **tables: pa.Table) -> list[tuple[Any, ...]]:
    """Ask the views over a lake's files, and these tables."""
    with catalog.connect(lake, marts=False) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        try:
            return connection.sql(sql).fetchall()
        except duckdb.Error as error:
            raise LakeError(f"the coverage of {lake.root} cannot be read: {' '.join(str(error).split())}") from None
