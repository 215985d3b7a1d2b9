"""The lake of the demo: what three brands had pulled by a morning in spring, on the mornings before it.

In: an emulator, and the variables with which every command finds it. Out: a lake, the same each time. It has what a
lake has after a while: counts that were revised, lifetime counts that grew, Tweets that are gone and Tweets of others.
It has campaigns, clocks that changed, and a day that an account lacks because its token was refused. Of three days it
has the counts of X API v2 too, which are higher in YOUNG hours, so that the two have something to disagree about.

    MORNINGS  --pull_at-->  the lake as of the morning of NOW, but for TODAY, which the demo pulls through Dagster
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline import pulling
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL, RECENT, TOTALS, Endpoint
from engagement_pipeline.core.errors import PullError
from engagement_pipeline.core.words import counted
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.inventory import LOCK, OF_THE_USER, take
from engagement_pipeline.lake.layout import LAKE_LOCK, PULL_LOCK
from engagement_pipeline.publish import publisher

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engagement_pipeline.emulator import Emulator, Tweet
    from engagement_pipeline.extract.prepare import Prepared
    from engagement_pipeline.lake.layout import Lake

AT = time(9, tzinfo=UTC)  # of each morning, so that the last hours are of two days
NOW = datetime.combine(date(2026, 4, 1), AT)
FIRST_DAY = date(2026, 2, 4)
YOUNG_PERCENT = 3.0  # by which X API v2 counts more impressions in hours younger than a day
SETTLE_HOURS = 96  # after which the emulator's counts stay as they are
FOLLOWED_SINCE = date(2026, 2, 1)  # before FIRST_DAY, so that the lives of some Tweets begin before the lake does
FOLLOWED_OF = {"harborbooks": 2, "lumenaudio": 2, "tidalcoffee": 1}  # one of so many Tweets, so that the demo is quick
OTHERS_SINCE = date(2026, 3, 1)
VANISHED = (date(2026, 3, 12), date(2026, 3, 31))  # harborbooks' first Tweet of a day, and when it was deleted
CAMPAIGNS = {
    "harborbooks": ("spring-reading", date(2026, 3, 2), date(2026, 3, 15)),
    "lumenaudio": ("headphones", date(2026, 3, 16), date(2026, 3, 29)),
}
HEAD = "tweet_id,handle,campaign,format"


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """What is pulled on a morning; the tokens of the `refused` accounts are not taken on it."""

    on: date
    endpoint: Endpoint = HISTORICAL
    first: date | None = None
    last: date | None = None
    refused: tuple[str, ...] = ()

    @property
    def now(self) -> datetime:
        """When that is."""
        return datetime.combine(self.on, AT)


MORNINGS = (
    Morning(on=date(2026, 3, 8), first=FIRST_DAY, last=date(2026, 3, 2)),
    Morning(on=date(2026, 3, 9), first=date(2026, 3, 3), last=date(2026, 3, 3), refused=("tidalcoffee",)),
    Morning(on=date(2026, 3, 18), first=date(2026, 3, 11), last=date(2026, 3, 17)),
    Morning(on=date(2026, 3, 18), endpoint=TOTALS),
    Morning(on=date(2026, 3, 30), first=date(2026, 3, 28), last=date(2026, 3, 29)),
    Morning(on=date(2026, 3, 31), first=date(2026, 3, 29), last=date(2026, 3, 30)),
    Morning(on=NOW.date(), endpoint=TOTALS),
    Morning(on=NOW.date(), endpoint=RECENT),
    Morning(on=NOW.date(), endpoint=ANALYTICS, first=date(2026, 3, 29), last=date(2026, 3, 31)),
)
TODAY = Morning(on=NOW.date(), first=date(2026, 3, 4), last=date(2026, 3, 31))


def clear(lake: Lake) -> None:
    """Remove what an earlier demo left of its lake, so that each demo makes the same one; a user's files stay."""
    with lake.locked(PULL_LOCK, "a pull"), lake.locked(LAKE_LOCK, "a publication"):
        found = take(lake, own=lambda _: False)
        kinds = found.files.keys() - {OF_THE_USER, LOCK}
        entries = [entry for kind in kinds for entry in found.of(kind)]
        tops = {entry: lake.root / entry.path.relative_to(lake.root).parts[0] for entry in entries}
        folders = {top for entry, top in tops.items() if entry.folder or entry.path != top}
        for top in sorted({*tops.values()}):
            (lake.storage.clear if top in folders else lake.storage.remove)(top)


def pull_at(morning: Morning, emulator: Emulator, environment: Mapping[str, str], lake: Lake) -> str:
    """Pull and publish as on that morning, and return a line that says what came of it.

    Raises PullError where more fails than the accounts that are refused.
    """
    prepared = prepare_at(morning, emulator, environment)
    try:
        pulling.pull(_settings(morning, environment), prepared)
    except PullError:
        if not morning.refused:
            raise
    publisher.publish_pulls(lake.of(morning.endpoint.source))  # the views over it are written once, in the end
    tweets = counted(len({tweet for planned in prepared.plans for tweet in planned.tweets}), "Tweet")
    lacking = "".join(
        f"; the API refused the token of {handle}, so its Tweets lack this day" for handle in morning.refused
    )
    return f"{morning.on}  {_what(morning)} of {tweets}{lacking}"


def prepare_at(morning: Morning, emulator: Emulator, environment: Mapping[str, str]) -> Prepared:
    """Let it be that morning for the emulator, write the roster as it was then, and plan the requests."""
    emulator.world.fixed_now = morning.now
    gone = [_vanished(emulator)] if morning.on >= VANISHED[1] else []
    emulator.faults.set(revoked_handles=morning.refused, vanished_tweet_ids=gone)
    emulator.v2.faults.set(young_percent=YOUNG_PERCENT, partial_errors=dict.fromkeys(gone, "resource-not-found"))
    chosen = _settings(morning, environment)
    roster = Path(chosen.tweets).with_name("roster.csv")
    roster.parent.mkdir(exist_ok=True)
    roster.write_text("\n".join([HEAD, *_rows(emulator), ""]), encoding="utf-8")
    return prepare(chosen, morning.first, morning.last, endpoint=morning.endpoint)


def _settings(morning: Morning, environment: Mapping[str, str]) -> settings.Settings:
    return settings.load({**environment, settings.PREFIX + "NOW": morning.now.isoformat()})


def _what(morning: Morning) -> str:
    if not morning.first or not morning.last:
        return {TOTALS: "lifetime sums", RECENT: "the last 28 hours"}[morning.endpoint]
    days = counted((morning.last - morning.first).days + 1, "day")
    return f"{days} to {morning.last}{' by X API v2' * (morning.endpoint is ANALYTICS)},"


def _rows(emulator: Emulator) -> Iterator[str]:
    """Yield the rows of the roster: the brands' Tweets, then those of the stranger."""
    for tweet in _followed(emulator):
        name, first, last = CAMPAIGNS.get(tweet.handle, ("", date.max, date.min))
        campaign = name if first <= tweet.created.date() <= last else ""
        yield f"{tweet.tweet_id},{tweet.handle},{campaign},{'video' if tweet.has_video else 'text'}"
    for tweet in emulator.world.foreign_tweets():
        if tweet.created.date() >= OTHERS_SINCE:
            yield f"{tweet.tweet_id},,,"


def _followed(emulator: Emulator) -> list[Tweet]:
    """Return the brands' Tweets that are followed, of whatever state, oldest first."""
    return [
        tweet
        for tweet in emulator.world.tweets()
        if tweet.created.date() >= FOLLOWED_SINCE and tweet.tweet_id % FOLLOWED_OF[tweet.handle] == 0
    ]


def _vanished(emulator: Emulator) -> int:
    of_day = (tweet for tweet in _followed(emulator) if tweet.created.date() == VANISHED[0])
    return next(tweet.tweet_id for tweet in of_day if tweet.handle == "harborbooks")
