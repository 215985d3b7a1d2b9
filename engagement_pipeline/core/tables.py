"""The tables of a lake: what one row is, the columns, the place of the files, and how newer rows are merged.

In: nothing. Out: Table objects. All code that reads or writes rows uses them. The catalogue's comments, Dagster's
column schema and the data dictionary are made from them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from engagement_pipeline.core.dated import A_DAY, A_MONTH, A_STAMP
from engagement_pipeline.core.kinds import Kind
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.table import Column, Merge, Table

EPOCH = date(1970, 1, 1)
TYPE_NAMES = tuple(sorted(metric.name for metric in METRICS))  # the dictionary of engagement_type
STORED = "stored"  # the outcome of a Tweet if the API gave its counts
ACCOUNT_REFUSED, REQUEST_REFUSED, NO_ANSWER = "account refused", "request refused", "no answer"
UNANSWERED = (ACCOUNT_REFUSED, REQUEST_REFUSED, NO_ANSWER)  # the outcomes of a Tweet that was asked for in vain
# Why the API serves a Tweet not at all: it is gone, its account is closed to others, or it is not the account's own.
UNAVAILABLE, PROTECTED, FORBIDDEN = "unavailable", "protected", "forbidden"
MISSING = "missing from the response"  # the outcome of a Tweet of which an answer says nothing
LOST = "lost"  # the outcome of a Tweet that was stored, and whose rows are neither in its file nor in raw any more

TWEET_ID = Column(
    "tweet_id", Kind.INT64, "The Tweet. Write it as text in JSON and JavaScript, which round such numbers."
)
TYPE = Column(
    "engagement_type",
    Kind.WORD,
    "What was counted, under the API's own name. The view metrics says what each means.",
)
DAY = Column("day", Kind.DATE, "The UTC day on which it happened.")
# Readers of folders take `day` from the folder's name, and many refuse a file that has it too. So it is there under
# another name: from a column of the file alone can DuckDB tell how many rows a day has.
DAY_OF_FOLDER = replace(DAY, in_file="date")
HOUR = Column("hour", Kind.INT32, "The UTC hour of the day in which it happened, 0 to 23.")
COUNT = Column("count", Kind.INT64, "How often it happened. Below zero if more was undone than done.")
PARTIAL = Column("partial", Kind.BOOL, "Whether only a part of the hour was asked for.")
OBSERVED_AT = Column("observed_at", Kind.MOMENT, "When the request for the count was sent.")
ASKED_AT = Column("asked_at", Kind.MOMENT, "When the newest request that named the Tweet was sent.")

ENGAGEMENTS = Table(
    name="engagements",
    grain="a count that /historical or /analytics gave",
    description="How often each Tweet was seen, liked, clicked …, by type and UTC hour. A row means that the API gave "
    "a count. A missing row is not a zero: coverage has the reason. Where both APIs gave a count, the setting "
    "shown_source says which one is here; engagements_by_source has both.",
    key=("tweet_id", "engagement_type", "day", "hour"),
    columns=(
        TWEET_ID,
        TYPE,
        DAY_OF_FOLDER,
        HOUR,
        COUNT,
        Column("hour_at", Kind.MOMENT, "When the hour began. A filter on day is faster.", derived=True),
    ),
    file="engagements/day={day}/engagements.parquet",
    glob=f"engagements/day={A_DAY}/engagements.parquet",
    merge=Merge.CELL,
)
DAILY = Table(
    name="daily",
    grain="a count of engagements, summed over the hours of its day",
    description="The sums are stored, so that questions about days are answered fast.",
    key=("tweet_id", "engagement_type", "day"),
    columns=(TWEET_ID, TYPE, DAY, COUNT),
    file="daily/{month}.parquet",
    glob=f"daily/{A_MONTH}.parquet",
)
TOTALS = Table(
    name="totals",
    grain="a Tweet's lifetime count, as observed that day",
    description="What /totals said about each Tweet's whole life. The count is not that of a day: it is the sum so "
    "far.",
    key=("tweet_id", "engagement_type", "observed_on"),
    columns=(
        TWEET_ID,
        TYPE,
        COUNT,
        OBSERVED_AT,
        Column("observed_on", Kind.DATE, "The UTC day on which the pull began.", in_folder=True),
    ),
    file="totals/observed_on={day}/totals.parquet",
    glob=f"totals/observed_on={A_DAY}/totals.parquet",
    merge=Merge.SNAPSHOT,
)
RECENT = Table(
    name="recent",
    grain="a count of the last 28 hours, from /28hr",
    description="It is newer than engagements, and provisional. The view engagements_now has both.",
    key=("tweet_id", "engagement_type", "day", "hour"),
    columns=(TWEET_ID, TYPE, DAY, HOUR, COUNT, PARTIAL, OBSERVED_AT),
    file="recent.parquet",
    glob="recent.parquet",
    merge=Merge.LATEST,
)
WINDOW_TOTALS = Table(
    name="window_totals",
    grain="a Tweet's count over the days of a window, as X API v2 summed it up",
    description="The setting x_audit has a pull ask for it beside the hours. The view window_audit compares the two.",
    key=("tweet_id", "engagement_type", "last_day"),
    columns=(
        TWEET_ID,
        TYPE,
        Column("first_day", Kind.DATE, "The first UTC day of the window."),
        COUNT,
        OBSERVED_AT,
        Column("last_day", Kind.DATE, "The last UTC day of the window, included.", in_folder=True),
    ),
    file="window_totals/last_day={day}/window_totals.parquet",
    glob=f"window_totals/last_day={A_DAY}/window_totals.parquet",
    merge=Merge.SNAPSHOT,
)
REVISIONS = Table(
    name="revisions",
    grain="a count that a later pull changed, or added to a Tweet's day",
    description="It keeps the count from before. The first answer for a Tweet's day revises nothing.",
    key=("tweet_id", "engagement_type", "day", "hour", "new_pulled_at"),
    columns=(
        TWEET_ID,
        TYPE,
        DAY,
        HOUR,
        Column("old", Kind.INT64, "The count before. NULL if the Tweet's day had no such count.", nullable=True),
        Column("new", Kind.INT64, "The count since."),
        Column("old_pulled_at", Kind.MOMENT, "When the Tweet's day was pulled before.", nullable=True),
        Column("new_pulled_at", Kind.MOMENT, "When the request for the new count was sent."),
        Column("pulled_on", Kind.DATE, "The UTC day on which that pull began.", in_folder=True),
    ),
    file="",  # a file a pull: Lake.revisions
    glob=f"revisions/pulled_on={A_DAY}/{A_DAY}_{A_DAY}_{A_STAMP}.parquet",
)
COVERAGE = Table(
    name="coverage",
    grain="a Tweet and day that an endpoint was asked for",
    description="The row says when it was last asked for, and what came of it. Counts of an earlier answer stay: if "
    "there are rows, and asked_at is later than pulled_at, they are older than the newest request.",
    key=("tweet_id", "endpoint", "day"),
    columns=(
        TWEET_ID,
        replace(
            DAY_OF_FOLDER,
            meaning="The UTC day that was asked for; for /totals and /28hr, the day of the pull; for "
            "/analytics_totals, the last day of the window.",
        ),
        Column("asked_at", Kind.MOMENT, "When the newest request for it was sent, or given up if no answer came."),
        Column(
            "outcome", Kind.STRING, "What came of that request: stored, or the reason why it gave nothing to store."
        ),
        Column("text", Kind.STRING, "The API's own words for a refusal, or why no answer came.", nullable=True),
        Column(
            "first_pulled_at",
            Kind.MOMENT,
            "When the first request that gave rows of the Tweet's day was sent.",
            nullable=True,
        ),
        Column(
            "pulled_at", Kind.MOMENT, "When the newest request that gave rows was sent. NULL: no rows.", nullable=True
        ),
        Column("rows", Kind.INT32, "How many rows are stored."),
        Column("source", Kind.STRING, "The file of the response that gave the rows, in the lake.", nullable=True),
        Column(
            "answer_count",
            Kind.INT64,
            "The sum of the counts in the newest answer, by the API's own sums where it has some. NULL: no answer.",
            nullable=True,
        ),
        Column(
            "kept_count",
            Kind.INT64,
            "The sum of the stored counts that are not in that answer. With answer_count, the sum of all rows.",
            nullable=True,
        ),
        Column(
            "left_out",
            Kind.STRINGS,
            "The types of which the newest answer left out a count, or no longer supports them. The older counts stay.",
            nullable=True,
        ),
        Column("endpoint", Kind.STRING, "The endpoint that was asked.", in_folder=True),
        Column(
            "table_name",
            Kind.STRING,
            "The table that the endpoint's answers fill; engagements_by_source if another source's are shown.",
            derived=True,
        ),
    ),
    file="",  # a file an endpoint and day: Lake.coverage
    glob=f"coverage/endpoint=*/day={A_DAY}/coverage.parquet",
)
SET_ASIDE = Table(
    name="set_aside",
    grain="a Tweet that the API does not serve",
    description="It is not asked for again for a while. A Tweet that is served again leaves the table.",
    key=("tweet_id",),
    columns=(
        TWEET_ID,
        Column("handle", Kind.STRING, "The account that asked; empty for the app's bearer token."),
        Column("endpoint", Kind.STRING, "The endpoint that was asked."),
        Column("reason", Kind.STRING, "unavailable, protected or forbidden."),
        Column("text", Kind.STRING, "The API's own words for a refusal.", nullable=True),
        ASKED_AT,
        Column("tokens", Kind.STRING, "A fingerprint of the tokens that asked."),
    ),
    file="set_aside.parquet",
    glob="set_aside.parquet",
)
TWEETS = Table(
    name="tweets",
    grain="a Tweet that is or was in the roster",
    description="The roster's further columns follow those below.",
    key=("tweet_id",),
    columns=(
        Column("tweet_id", Kind.INT64, TWEET_ID.meaning, nullable=True),
        Column("handle", Kind.STRING, "The account that owns it; NULL for a Tweet of others.", nullable=True),
        Column("posted_at", Kind.MOMENT, "When it was posted, from its ID; NULL before Snowflake IDs.", nullable=True),
        Column("followed", Kind.BOOL, "Whether it is in the roster now.", nullable=True),
        Column("link", Kind.STRING, "The address of the Tweet.", derived=True),
        Column("owner", Kind.STRING, "The handle; 'others' for a Tweet of others.", derived=True),
    ),
    file="tweets.parquet",
    glob="tweets.parquet",
)
REQUESTS = Table(
    name="requests",
    grain="a request that was sent",
    description="The contract counts these requests, and the handles in them.",
    key=("asked_at", "endpoint", "handle"),
    columns=(
        Column("asked_at", Kind.MOMENT, "When its last try was sent."),
        Column("endpoint", Kind.STRING, "The endpoint that was asked."),
        Column("handle", Kind.STRING, "The account that asked; NULL for the app's bearer token.", nullable=True),
        Column(
            "tweet_ids",
            Kind.INT64S,
            "The Tweets that it named; of a page of a timeline, those that it has; of /media, the numbers in the media "
            "keys.",
        ),
        Column("first_day", Kind.DATE, "The first UTC day that it asked for; NULL for the present.", nullable=True),
        Column("last_day", Kind.DATE, "The last UTC day, included.", nullable=True),
        Column("status", Kind.INT32, "The HTTP status of the last try; NULL if no answer came.", nullable=True),
        Column("tries", Kind.INT32, "How many tries were sent."),
        Column("bytes", Kind.INT64, "The size of the last answer as it was sent, perhaps compressed."),
        Column("seconds", Kind.FLOAT64, "How many seconds the last try took."),
        Column("error", Kind.STRING, "Why it gave no counts, in words; NULL if it was answered.", nullable=True),
        Column("posts", Kind.INT32, "How many Posts it read, as X counts reads.", nullable=True),
        Column("requests_per_month", Kind.INT64, "The setting at that time; NULL if it was not set.", nullable=True),
        Column("handles_per_month", Kind.INT64, "The setting at that time; NULL if it was not set.", nullable=True),
        Column("posts_per_month", Kind.INT64, "The setting at that time; NULL if it was not set.", nullable=True),
        Column("price_per_read", Kind.FLOAT64, "The setting at that time; NULL if it was not set.", nullable=True),
    ),
    file="requests/{month}.jsonl",
    glob=f"requests/{A_MONTH}.jsonl",
)
SHAPES = Table(
    name="shapes",
    grain="something that an API sent and its documents do not have, as it came first",
    description="A key, a type of a value, a header about a rate or the API itself, or the words of an error. What the "
    "documents have is no row, nor is what stays away: coverage has that as left_out. Each is told once, by a pull or "
    "in Dagster.",
    key=("endpoint", "kind", "place", "name"),
    columns=(
        Column("first_seen", Kind.MOMENT, "When the request with the first such answer was sent."),
        Column("endpoint", Kind.STRING, "The endpoint that was asked."),
        Column("kind", Kind.STRING, "key, type, header or error text."),
        Column("place", Kind.STRING, "Where in the answer it stands, as in $.data[].id; empty for a header."),
        Column(
            "name",
            Kind.STRING,
            "The key, the type, the header, or the text without IDs, numbers, handles and moments. A key that is an ID "
            "or a moment is *, and so are all that are more than 20 in a place.",
        ),
        Column("meaning", Kind.STRING, "What it is, and what becomes of it, in words."),
        Column("pull", Kind.STRING, "The folder of its pull in the lake; NULL where it is of none.", nullable=True),
        Column("handle", Kind.STRING, "The account that asked; NULL for the app's bearer token.", nullable=True),
        Column("tweet_ids", Kind.INT64S, "The Tweets that the request named, or those of a page of a timeline."),
        Column(
            "example",
            Kind.STRING,
            "The first one, without secrets and cut short. NULL: its request named a Tweet that is forgotten now.",
            nullable=True,
        ),
        Column("told_at", Kind.MOMENT, "When a person was told; NULL: not yet.", nullable=True),
    ),
    file="shapes.jsonl",
    glob="shapes.jsonl",
)
TABLES = {
    table.name: table
    for table in (
        ENGAGEMENTS,
        DAILY,
        REVISIONS,
        TOTALS,
        RECENT,
        WINDOW_TOTALS,
        COVERAGE,
        SET_ASIDE,
        TWEETS,
        REQUESTS,
        SHAPES,
    )
}
REBUILDABLE = {table.name: table for table in TABLES.values() if table.merge}  # the tables that answers fill
