"""A daily run costs after a year of daily runs what it cost in the first week: ten minutes.

    .venv/bin/python benchmarks/daily_run.py

Every day the last 28 days of 100 Tweets are asked for again, in four full requests; the API has revised the last three
of them meanwhile. Then all is published, the views are written anew, and raw older than 90 days is dropped. The Tweets
were posted evenly over the year and the months before, so each week has young ones. In the last week, a new lake takes
turns with the old one, the same runs on the same machine: its first week, after a run that fills 28 days. Shown is the
median of a week's runs. Exit code 1 where the old lake's last week costs more than the new one's first by a quarter, in
processor time or in bytes written.

What 10,000 and 100,000 Tweets take on disk is reckoned from this: raw and revisions in proportion to the Tweets; the
tables from 28 days of 2,000 Tweets, in which the ends of files are as small a part as in larger ones.
"""

import os
import re
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from synthetic import BATCH, bytes_in, land, tweet_ids

from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)
TWEETS, MANY = 100, 2_000
POSTED = (date(2024, 11, 1), LAST)
KEEP = timedelta(days=90)
MORE = 1.25  # at most so many times the first week's
LAST_WEEK, FIRST_WEEK = "last, 53rd", "first, of the new lake in turns with that"
TABLES = ("engagements", "daily", "coverage")


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        ids = tweet_ids(TWEETS, *POSTED)
        old, new = (Lake(Path(name) / age) for age in ("old", "new"))
        days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
        year = [run(old, ids, day) for day in days[:-7]]
        run(new, ids, days[-8])
        pairs = [(run(new, ids, day), run(old, ids, day)) for day in days[-7:]]
        raw, revisions = (bytes_in(folder) / TWEETS for folder in (old.raw, old.root / "revisions"))
    first, last = zip(*pairs, strict=True)
    weeks = {"fifth, of the old lake": year[29:36], "26th": year[176:183], LAST_WEEK: last, FIRST_WEEK: first}
    print("| week | requests | rows asked for | days written | wall | processor | MB written | MB of raw landed |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    medians = {
        week: [statistics.median(column) for column in zip(*of_week, strict=True)] for week, of_week in weeks.items()
    }
    for week, (days, wall, processor, written, landed) in medians.items():
        print(
            f"| {week} | {TWEETS // BATCH} | {TWEETS * 28 * 408:,} | {days:.0f} | {wall:.2f} s | {processor:.2f} s "
            f"| {written / 1e6:.2f} | {landed / 1e6:.2f} |"
        )
    print_disk(raw, revisions, tables())
    cost = zip(medians[FIRST_WEEK][2:4], medians[LAST_WEEK][2:4], strict=True)
    return int(any(after > before * MORE for before, after in cost))


def run(lake, ids, last):
    """Do one daily run; return the days it wrote, wall and processor seconds, bytes written, bytes of raw."""
    window = Window(last - timedelta(days=27), last)
    now = datetime(last.year, last.month, last.day, 6, tzinfo=UTC) + timedelta(days=1)
    before = bytes_in(lake.raw)
    land(lake, ids, window=window, now=now, settling=True)
    landed = bytes_in(lake.raw) - before
    began, used, written = time.perf_counter(), time.process_time(), bytes_written()
    [publication] = publish_pulls(lake)
    catalog.refresh(lake)
    retention.drop(lake, retention.spent(lake, before=now - KEEP))
    seconds = time.perf_counter() - began, time.process_time() - used
    return len(publication.days_written), *seconds, bytes_written() - written, landed


def bytes_written():
    """Return what this process handed to the system to be written."""
    return int(re.search(r"wchar: (\d+)", Path("/proc/self/io").read_text())[1])


def tables():
    """Return the bytes of each table, a Tweet and day, of a publication of 2,000 Tweets."""
    with tempfile.TemporaryDirectory() as name:
        lake = Lake(Path(name) / "lake")
        land(lake, tweet_ids(MANY, *POSTED), window=Window(LAST - timedelta(days=27), LAST), handles=5)
        publish_pulls(lake)
        return {table: bytes_in(lake.root / table) / MANY / 28 for table in TABLES}


def print_disk(raw, revisions, by_table):
    print(
        "\n| Tweets | requests a day | raw, steady | a year of " + " | a year of ".join([*TABLES, "revisions"]) + " |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for tweets in (10_000, 100_000):
        sizes = [raw, *(size * 365 for size in by_table.values()), revisions]
        cells = " | ".join(f"{size * tweets / 1e9:.2f} GB" for size in sizes)
        print(f"| {tweets:,} | {tweets // BATCH:,} | {cells} |")


if __name__ == "__main__":
    print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    sys.exit(main())
