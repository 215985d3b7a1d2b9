"""A lake of two months with a case of each trap that a naive query falls into, and its rows as plain Python."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq
from bodies import begin, land, observed, pulled, totals

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.model import SNOWFLAKE_EPOCH, Exchange, Request, Window
from engagement_pipeline.core.tables import ACCOUNT_REFUSED, TWEETS
from engagement_pipeline.lake import request_log
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

TYPES = (
    "engagements",
    "favorites",
    "impressions",
    "media_engagements",
    "media_views",
    "replies",
    "retweets",
    "url_clicks",
)
FIRST, LAST = date(2025, 12, 1), date(2026, 1, 29)
REVOKED = date(2026, 1, 10)  # ann's token, for a day
DELETED = date(2026, 1, 11)  # GONE, and since
LEFT_OUT = date(2026, 1, 12)  # a count of OLD's, in the newest answer
SAID = "401: Access token not found"
NUMBERS = count(1)


def tweet(year, month, day, hour, minute=0):
    """Return the ID of a Tweet of that moment in UTC."""
    posted = datetime(year, month, day, hour, minute, tzinfo=UTC)
    return (int((posted - SNOWFLAKE_EPOCH).total_seconds() * 1000) << 22) + next(NUMBERS)


OLD = tweet(2025, 12, 1, 8, 30)  # of ann: its history is whole but for REVOKED
LATE = tweet(2025, 12, 20, 23, 40)  # of ann: 20 minutes before midnight
NEVER_ASKED = tweet(2026, 1, 15, 6)  # of ann
BEFORE = tweet(2025, 11, 15, 12)  # of bob: older than the first day
YOUNG = tweet(2026, 1, 20, 12)  # of bob: 9 days old
GONE = tweet(2025, 12, 5, 3)  # of bob
OTHERS = tweet(2025, 12, 24, 18)  # nobody's
OWNERS = {OLD: "ann", LATE: "ann", NEVER_ASKED: "ann", BEFORE: "bob", YOUNG: "bob", GONE: "bob", OTHERS: None}
ASKED = [OLD, LATE, BEFORE, YOUNG, GONE]


def posted_at(tweet_id):
    """Return when a Tweet was posted, from its ID."""
    return SNOWFLAKE_EPOCH + timedelta(milliseconds=tweet_id >> 22)


def midnight(day):
    """Return the beginning of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def cells(tweets, window, *, hours=range(24)):
    """Return made-up counts; zero before the Tweet was posted, as the API says, and more clicks than views at times."""
    found = {}
    for tweet_id in tweets:
        for day in window.days():
            for hour in hours:
                alive = midnight(day) + timedelta(hours=hour + 1) > posted_at(tweet_id)
                for place, name in enumerate(TYPES):
                    spread = 3 + 4 * (name in ("impressions", "media_views"))
                    made = (tweet_id % 5 + place * 3 + day.toordinal() * 5 + hour * hour) % spread
                    found[tweet_id, name, day, hour] = made if alive else 0
    return found


def save_tweets(lake, owners, *, posted=posted_at):
    """Write tweets.parquet of {tweet: handle}."""
    lake.open()
    times = pa.array([posted(tweet_id) for tweet_id in owners], TWEETS.schema.field("posted_at").type)
    columns = {
        "tweet_id": [*owners],
        "handle": [*owners.values()],
        "posted_at": times,
        "followed": [True] * len(owners),
    }
    pq.write_table(pa.table(columns).cast(TWEETS.schema), lake.tweets)


def build(lake):
    """Fill a lake: five windows, an account that is refused for a day, a Tweet that is deleted, totals three times."""
    save_tweets(lake, OWNERS)
    for first, last in ((FIRST, date(2025, 12, 28)), (date(2025, 12, 29), date(2026, 1, 9))):
        _pull(lake, ASKED, Window(first, last), midnight(last) + timedelta(days=1, hours=2))
    one = Window(REVOKED, REVOKED)
    pull = begin(lake, midnight(DELETED) + timedelta(hours=2), window=one, types=TYPES)
    land(pull, cells([BEFORE, YOUNG, GONE], one), handle="bob")
    land(pull, {}, tweets=[OLD, LATE], refusal=SAID, unanswered=ACCOUNT_REFUSED)
    pull.marked(finished=True)
    publish_pulls(lake)
    _pull(lake, ASKED[:-1], Window(DELETED, date(2026, 1, 28)), midnight(LAST) + timedelta(hours=2), gone=[GONE])
    again = Window(date(2026, 1, 8), date(2026, 1, 9))
    more = {key: n + 1 for key, n in cells([BEFORE], again).items()}
    pulled(lake, more, midnight(REVOKED) + timedelta(days=4), window=again, types=TYPES, handle="bob")
    publish_pulls(lake)
    less = {
        key: n for key, n in cells([OLD], Window(LEFT_OUT, LEFT_OUT)).items() if key[1:] != ("url_clicks", LEFT_OUT, 5)
    }
    pulled(lake, less, midnight(LAST) + timedelta(hours=3), window=Window(LEFT_OUT, LEFT_OUT), types=TYPES)
    publish_pulls(lake)
    _pull(lake, ASKED[:-1], Window(LAST, LAST), midnight(LAST) + timedelta(hours=12), hours=range(12))
    for day, hour, more in ((date(2026, 1, 5), 4, 0), (date(2026, 1, 9), 4, 30), (LAST, 4, 100)):
        seen = {OLD: 9_000 + more, OTHERS: 50 - more // 10} | ({GONE: 2_000} if day < DELETED else {})
        body = totals({(tweet_id, name): n for tweet_id, n in seen.items() for name in ("favorites", "quote_tweets")})
        observed(lake, TOTALS, body, midnight(day) + timedelta(hours=hour), tweets=[*seen])
        publish_pulls(lake)
    asked = Request(endpoint=TOTALS, handle="ann", tweet_ids=(OLD, OTHERS), types=("favorites",), window=None)
    done = Exchange(request=asked, asked_at=midnight(LAST) + timedelta(hours=4), status=200, tries=1, size=9, seconds=1)
    request_log.write(lake, done)


def _pull(lake, tweets, window, now, *, hours=range(24), gone=()):
    told = {"unavailable_tweet_ids": [*map(str, gone)]} if gone else {}
    pulled(lake, cells(tweets, window, hours=hours), now, window=window, types=TYPES, tweets=[*tweets, *gone], **told)
    publish_pulls(lake)


def rows(lake, sql):
    """Return what a query gives, a dictionary a row."""
    return catalog.query(lake, sql).to_pylist()


def hours_of(lake):
    """Return {(tweet, type): {moment: count}} of the table `engagements`, from the hour of posting on."""
    found = defaultdict(dict)
    for row in rows(lake, "from engagements"):
        moment = midnight(row["day"]) + timedelta(hours=row["hour"])
        if moment + timedelta(hours=1) > posted_at(row["tweet_id"]):
            found[row["tweet_id"], row["engagement_type"]][moment] = row["count"]
    return found
