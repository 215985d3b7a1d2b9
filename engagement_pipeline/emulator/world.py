"""The emulated world: three brands and a stranger, their Tweets, and what the API knows about them at a moment.

In: a seed and a clock. Out: Tweets, a roster file, counts as an API shows them now. Nothing is stored. The Tweets of a
day are a hash of (seed, handle, day). So a later "now" has the same Tweets and newer ones, and time removes no Tweet.
The roster lists all Tweets of the last 90 days and, further back, single Tweets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engagement_pipeline.emulator import counts
from engagement_pipeline.emulator.chance import hash64, share
from engagement_pipeline.emulator.files import refuse_foreign, write_aside

State = Literal["ok", "deleted", "protected"]

FIRST_DAY = date(2015, 6, 1)
FIRST_AUTUMN = date(2015, 9, 1)
RECENT_DAYS = 90
OLD_DAYS = 1_800
FIRST_NOW, LAST_NOW = datetime(2016, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # with Tweets to show
DAY_MS = 86_400_000
ID_DIGITS = 19
HEADS = {"tweet_id,handle", "tweet_id,handle,state", "tweet_id,handle,campaign,format"}  # of rosters over such a world

# In each block of this many days, every handle has one deleted and one protected Tweet. The last 90 days hold at least
# two whole blocks, so they have two of each at any date. A share of all Tweets comes on top.
STATE_BLOCK_DAYS = 30
STATE_SHARE = 0.01


@dataclass(frozen=True)
class Handle:
    """An author: the @handle, the author id, and how many Tweets a day."""

    name: str
    author_id: int
    tweets_per_day: int


HANDLES = (
    Handle("harborbooks", 2_817_340_115, 4),
    Handle("lumenaudio", 2_961_204_783, 2),
    Handle("tidalcoffee", 3_044_518_902, 1),
)
# It gave the app no tokens: no caller owns its Tweets, and the bearer token reads them on /totals.
STRANGER = Handle("cedartrails", 2_744_190_663, 1)
AUTHORS = (*HANDLES, STRANGER)


@dataclass(frozen=True)
class Tweet:
    """One Tweet; `state` is ok, deleted or protected, `created` is UTC with milliseconds."""

    tweet_id: int
    handle: str
    author_id: int
    created: datetime
    state: State
    has_video: bool


@lru_cache(maxsize=16_384)
def tweets_of_day(seed: int, handle: Handle, day: date) -> tuple[Tweet, ...]:
    """Return all Tweets that a handle posted on a UTC day, oldest first; none before FIRST_DAY."""
    if day < FIRST_DAY:
        return ()
    tweets = []
    for place in range(handle.tweets_per_day):
        tweet_id, created = post_times(day, hash64(seed, handle.name, day, place))
        state = _state(seed, handle, day, place)
        video = counts.has_video(seed, tweet_id)
        tweets.append(Tweet(tweet_id, handle.name, handle.author_id, created, state, video))
    return tuple(sorted(tweets, key=lambda tweet: tweet.tweet_id))


def post_times(day: date, chance: int) -> tuple[int, datetime]:
    """Return the ID of a post of a UTC day and when it was made; `chance` is a hash of 64 bits."""
    midnight_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    made_ms = midnight_ms + (chance >> 22) % DAY_MS
    tweet_id = (made_ms - counts.SNOWFLAKE_EPOCH_MS) << 22 | chance & 0x3FFFFF
    return tweet_id, datetime.fromtimestamp(made_ms // 1000, UTC) + timedelta(milliseconds=made_ms % 1000)


def _state(seed: int, handle: Handle, day: date, place: int) -> State:
    block, day_of_block = divmod(day.toordinal(), STATE_BLOCK_DAYS)
    deleted_day = hash64(seed, handle.name, block, "deleted") % STATE_BLOCK_DAYS
    later = 1 + hash64(seed, handle.name, block, "protected") % (STATE_BLOCK_DAYS - 1)
    protected_day = (deleted_day + later) % STATE_BLOCK_DAYS
    if place == 0 and day_of_block == deleted_day:
        return "deleted"
    if place == 0 and day_of_block == protected_day:
        return "protected"
    fate = share(seed, handle.name, day, place, "fate")
    return "deleted" if fate < STATE_SHARE else "protected" if fate < 2 * STATE_SHARE else "ok"


def _tweets_kept(day: date, today: date) -> int | None:
    """Return how many Tweets of a day the roster lists; None means all of them."""
    age = (today - day).days
    if age < RECENT_DAYS:
        return None
    first_summer = FIRST_DAY <= day < FIRST_AUTUMN and day.day in (1, 15)
    monthly = day.day == 1 and (age <= OLD_DAYS or day.month in (1, 7))
    return int(first_summer or monthly)


class World:
    """Tweets and counts of one seed, seen from one clock.

    `fixed_now` is an aware datetime at which the world stands still, or None for the machine's clock. A test may assign
    it at any time, to move the world by a day for example. `settle_hours` is the age at which an hour's counts are
    final; 0 shows the final counts at once.
    """

    def __init__(self, *, seed: int = 1, now: datetime | None = None, settle_hours: int = 0) -> None:
        if now is not None and now.tzinfo is None:
            raise ValueError(f"now must carry a time zone, got {now.isoformat()}")
        if now is not None and not FIRST_NOW <= now <= LAST_NOW:
            raise ValueError(f"now must be from {FIRST_NOW.year} to {LAST_NOW.year}, got {now.isoformat()}")
        if settle_hours < 0:
            raise ValueError(f"settle_hours must be 0 or more, got {settle_hours}")
        self.seed = seed
        self.fixed_now = now
        self.settle_hours = settle_hours

    def now(self) -> datetime:
        """Return the world's present in UTC, to the second."""
        return (self.fixed_now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)

    def tweets(self) -> tuple[Tweet, ...]:
        """Return the Tweets of the three brands as of now, by ascending ID.

        Each handle has all its Tweets of the last 90 days. Back to 1,800 days, it has one a month, and before that one
        each January and July. It also has one for the first and the middle day of each month of the summer of 2015.
        """
        return self._listed(HANDLES)

    def foreign_tweets(self) -> tuple[Tweet, ...]:
        """Return the stranger's Tweets as of now, of the same ages and states, by ascending ID."""
        return self._listed((STRANGER,))

    def _listed(self, authors: Sequence[Handle]) -> tuple[Tweet, ...]:
        now = self.now()
        today = now.date()
        found: list[Tweet] = []
        for age in range((today - FIRST_DAY).days + 1):
            day = today - timedelta(days=age)
            kept = _tweets_kept(day, today)
            if kept != 0:
                for author in authors:
                    found += tweets_of_day(self.seed, author, day)[:kept]
        return tuple(sorted((t for t in found if t.created <= now), key=lambda tweet: tweet.tweet_id))

    def tweet(self, tweet_id: int) -> Tweet | None:
        """Return the Tweet with that ID, in the roster or not; None if nobody has posted it yet."""
        if counts.created_ms(tweet_id) > self.now().timestamp() * 1000:
            return None
        return self._posted(tweet_id)

    def _posted(self, tweet_id: int) -> Tweet | None:
        """Return the Tweet of that ID, whenever it is posted."""
        day = datetime.fromtimestamp(counts.created_ms(tweet_id) // 1000, UTC).date()
        posted = (t for author in AUTHORS for t in tweets_of_day(self.seed, author, day))
        return next((t for t in posted if t.tweet_id == tweet_id), None)

    def counts(
        self, tweet_ids: Sequence[int], types: Sequence[str], first_hour: datetime, hours: int
    ) -> NDArray[np.int64]:
        """Return the final counts of `hours` whole hours from `first_hour` on, shape [tweet, type, hour].

        Pure: now and settle_hours do not matter. `first_hour` is aware; its minutes are ignored.
        """
        return counts.counts(self.seed, tweet_ids, types, _hours(first_hour, hours))

    def count(self, tweet_id: int, engagement_type: str, hour: datetime) -> int:
        """Return one final count."""
        return int(self.counts([tweet_id], [engagement_type], hour, 1)[0, 0, 0])

    def shown(
        self, tweet_ids: Sequence[int], types: Sequence[str], first_hour: datetime, hours: int
    ) -> NDArray[np.int64]:
        """Return the counts that an API shows now: those of `counts`, but young hours are not settled yet."""
        asked = _hours(first_hour, hours)
        return self._settled(counts.counts(self.seed, tweet_ids, types, asked), asked)

    def lifetime(self, tweet_ids: Sequence[int], types: Sequence[str]) -> NDArray[np.int64]:
        """Return the sums over all hours that have ended, shape [tweet, type].

        They are the sums of `shown`, plus the likes, reposts and replies from before 2015-09-15.
        """
        end = _hour_index(self.now())
        sums = np.zeros((len(tweet_ids), len(types)), dtype=np.int64)
        for row, tweet_id in enumerate(tweet_ids):
            alive = counts.living_hours(tweet_id, end)
            sums[row] = self._settled(counts.happened(self.seed, [tweet_id], types, alive), alive)[0].sum(axis=1)
        return sums

    def refuse_foreign(self, path: Path) -> None:
        """Raise FileExistsError if there is a roster with anything that is not of a world of this seed."""
        refuse_foreign(path, self._wrote)

    def _wrote(self, text: str) -> bool:
        head, *rows = text.splitlines()
        return head in HEADS and all(map(self._is_row, rows))

    def _is_row(self, row: str) -> bool:
        tweet_id, handle, *_ = [*row.split(","), ""]
        if not (tweet_id.isascii() and tweet_id.isdecimal() and len(tweet_id) <= ID_DIGITS):
            return False
        tweet = self._posted(int(tweet_id))
        return tweet is not None and handle == ("" if tweet.handle == STRANGER.name else tweet.handle)

    def write_roster(self, path: Path, *, foreign: bool = False) -> None:
        """Write `tweet_id,handle,state` as CSV, one line a Tweet, by ascending ID; create the parent folders.

        With `foreign`, include the stranger's Tweets, without a handle. Raises FileExistsError as `refuse_foreign`
        does: somebody may have written the roster by hand.
        """
        self.refuse_foreign(path)
        rows = [(tweet.tweet_id, tweet.handle, tweet.state) for tweet in self.tweets()]
        if foreign:
            rows += [(tweet.tweet_id, "", tweet.state) for tweet in self.foreign_tweets()]
        lines = [f"{tweet_id},{handle},{state}" for tweet_id, handle, state in sorted(rows)]
        write_aside(path, "\n".join(["tweet_id,handle,state", *lines, ""]))

    def _settled(self, final: NDArray[np.int64], hours: NDArray[np.int64]) -> NDArray[np.int64]:
        """Hold back a part of the young hours: 70 % shows at once, and the rest comes evenly until settle_hours."""
        if not self.settle_hours:
            return final
        ages = np.clip(_hour_index(self.now()) - hours, 0, self.settle_hours)
        return final * (7 * self.settle_hours + 3 * ages) // (10 * self.settle_hours)


def _hour_index(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _hours(first_hour: datetime, hours: int) -> NDArray[np.int64]:
    first = _hour_index(first_hour)
    return np.arange(first, first + hours, dtype=np.int64)
