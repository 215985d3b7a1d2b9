"""Of 1.5 billion rows, a Tweet's life in 100 ms, a year by day in 3 s, a handle's month in 300 ms: five minutes.

    .venv/bin/python benchmarks/queries.py [FOLDER]     # FOLDER keeps the lake, and is used again

A year of 10,000 Tweets of 20 handles, 365 days of 17 types and 24 hours each, with the counts of the emulator's world.
Each question is asked over a connection of its own to the file of views, whose making is part of the time; shown is the
best of some, with the files in the system's cache. The processor's time is that of all threads: beside other programs,
half of it is what the question takes alone on two cores. Exit code 1 where a target is missed.
"""

import os
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
from synthetic import ROWS_PER_TWEET_DAY, bytes_in, tweet_ids, write_lake

from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

TWEETS = tweet_ids(10_000, date(2024, 7, 1), date(2025, 12, 31))
YEAR = Window(date(2025, 1, 1), date(2025, 12, 31))
TWEET = TWEETS[len(TWEETS) // 2]  # posted in April
JUNE = "day between '2025-06-01' and '2025-06-30'"
HANDLE = f"""
    select day, engagement_type, sum("count") as total
    from {{}} join tweets using (tweet_id) where handle = 'handle07' and {JUNE} group by all order by all
"""
LIFE = f"from {{}} where tweet_id = {TWEET} order by all"
BY_DAY = 'select day, engagement_type, sum("count") as total from {} group by all order by all'
WIDE = """
    select tweet_id, day, impressions, engagements, favorites, replies, retweets, video_views, media_views,
        media_engagements, url_clicks, hashtag_clicks, detail_expands, permalink_clicks, user_profile_clicks,
        user_follows, email_tweet, app_opens, app_install_attempts
    from {}
"""
HANDLES_WEEK = "from {} where handle = 'handle07' and engagement_type = 'impressions'"
# The view, the SQL, the milliseconds that it may take, how often it is asked. What may take any time is there to show
# what the view `daily` saves.
QUESTIONS = {
    "one Tweet's life, by day": ("daily", LIFE, 100, 15),
    "one Tweet's life, by hour": ("tweet_hourly", LIFE, 100, 10),
    "one Tweet's 28 days, by hour": ("tweet_hourly", LIFE.replace("order", f"and {JUNE} order"), 100, 10),
    "one Tweet's life, by hour and type": ("engagements", LIFE, None, 5),
    "one Tweet's 28 days, by hour and type": ("engagements", LIFE.replace("order", f"and {JUNE} order"), None, 5),
    "a year by day and type": ("daily", BY_DAY, 3_000, 5),
    "a year by day and type, from the hours": ("engagements", BY_DAY, None, 1),
    "one handle's month by day and type": ("daily", HANDLE, 300, 10),
    "one handle's month by day and type, from the hours": ("engagements", HANDLE, None, 1),
    "one Tweet's life, wide": ("tweet_daily", LIFE, 1_000, 5),
    "one Tweet's first 28 days, by age": ("tweet_age", LIFE, 1_000, 5),
    "one Tweet's lifetime": ("tweet_lifetime", LIFE, 1_000, 5),
    **{
        f"one handle's month, {view}": (view, f"from {{}} where handle = 'handle07' and {JUNE}", 1_000, 3)
        for view in ("tweet_daily", "completeness", "handle_daily", "handle_posted")
    },
    "one handle's Tweets, lifetimes": ("tweet_lifetime", "from {} where handle = 'handle07'", 1_000, 3),
    "one handle's week by hour, over a year": ("hour_of_week('Europe/Berlin')", HANDLES_WEEK, 2_000, 2),
    "everything, 17 metrics wide": ("tweet_daily", WIDE, 3_000, 2),
    **{
        f"everything, {view}": (view, "from {}", 10_000, 2)
        for view in ("completeness", "handle_daily", "tweet_lifetime")
    },
}


def main() -> int:
    kept = sys.argv[1:]
    with nullcontext(kept[0]) if kept else tempfile.TemporaryDirectory() as name:
        lake = Lake(Path(name))
        if not lake.tweets.exists():
            build(lake)
        rows = len(TWEETS) * 365 * ROWS_PER_TWEET_DAY
        hours, days = bytes_in(lake.root / "engagements"), bytes_in(lake.root / "daily")
        print(f"{rows:,} rows, {hours / 1e6:.0f} MB, {hours / rows:.3f} bytes a row; daily sums: {days / 1e6:.0f} MB\n")
        print("| question | from | rows | ms | of that, connecting | processor | target |")
        print("|---|---|--:|--:|--:|--:|--:|")
        answers = [asked(lake, question) for question in QUESTIONS]
    return int(not all(answers))


def build(lake):
    began = time.perf_counter()
    write_lake(lake, TWEETS, YEAR)
    catalog.refresh(lake)
    print(f"written in {time.perf_counter() - began:.0f} s")


def asked(lake, question):
    """Ask a question some times, print its row, and tell whether it met its target."""
    view, sql, limit, times = QUESTIONS[question]
    best = (float("inf"), 0.0, 0.0)
    for _ in range(times):
        began, busy = time.perf_counter(), time.process_time()
        with duckdb.connect(str(lake.catalog), read_only=True) as connection:
            connected = time.perf_counter() - began
            rows = connection.sql(sql.format(view)).to_arrow_table()
            best = min(best, (time.perf_counter() - began, connected, time.process_time() - busy))
    milliseconds, connecting, processor = (seconds * 1000 for seconds in best)
    target = f"under {limit:,}" if limit else ""
    figures = f"{len(rows):,} | {milliseconds:,.0f} | {connecting:.0f} | {processor:,.0f} | {target}"
    print(f"| {question} | `{view}` | {figures} |", flush=True)
    return not limit or milliseconds < limit


if __name__ == "__main__":
    print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    sys.exit(main())
