"""Made-up data of any size for the other scripts, from the counts of the emulator's world; no claim of its own.

    request, body         one response of /historical
    write_roster          a roster of so many requests
    land                  a finished pull of so many Tweets, its responses landed as raw
    bytes_in, peak_memory what it came to
    write_lake            a lake's rows, daily sums and coverage, written as a publication writes them, without raw

The counts are those that the emulator would serve, so that files compress as its do: most Tweets have few readers,
the first day has most of a Tweet's counts, and nine of ten counts are zero.
"""

import json
import multiprocessing
import os
import re
import shutil
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import Plan, Request, Response, Window
from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS, STORED, TWEETS, TYPE_NAMES
from engagement_pipeline.emulator import counts as world
from engagement_pipeline.emulator.world import FIRST_DAY, HANDLES, World, tweets_of_day
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import write
from engagement_pipeline.publish import daily
from engagement_pipeline.publish.day_file import RowGroupWriter
from engagement_pipeline.publish.day_sums import SumsWriter
from engagement_pipeline.publish.merge import Rows, daily_sums, to_table
from engagement_pipeline.publish.pending import CHUNK_TWEETS
from engagement_pipeline.sources.engagement.request import CELLS, TWEET_SUMS, TYPE_SUMS

SEED = 1
TYPES = HISTORICAL.types
BATCH = HISTORICAL.max_tweets
WINDOW = Window(date(2026, 1, 4), date(2026, 1, 31))
ROWS_PER_TWEET_DAY = len(TYPES) * 24
DAY_MS = 86_400_000
SETTLE_HOURS = 72


def tweet_ids(number, first, last):
    """Return the IDs of Tweets that were posted evenly over the UTC days from `first` to `last`, in order."""
    begin, end = (int(_midnight(day).timestamp()) * 1000 for day in (first, last))
    times = np.linspace(begin, end + DAY_MS - 1, number).astype(np.int64) - world.SNOWFLAKE_EPOCH_MS
    low = np.random.default_rng(SEED).integers(0, 2**22, number)
    return np.unique(times << 22 | low)


def request(ids, window=WINDOW, handle="harborbooks"):
    """Return the request to /historical for all types of these Tweets."""
    return Request(endpoint=HISTORICAL, handle=handle, tweet_ids=tuple(map(int, ids)), types=TYPES, window=window)


def write_roster(path, batches, last):
    """Write a roster of so many full batches: each handle's healthy Tweets in turn, from the day `last` back."""
    rows = []
    days = [last - timedelta(days=age) for age in range((last - FIRST_DAY).days)]
    for handle in HANDLES:
        tweets = (tweet for day in days for tweet in tweets_of_day(SEED, handle, day) if tweet.state == "ok")
        of_handle = [f"{tweet.tweet_id},{tweet.handle}\n" for tweet in islice(tweets, batches * BATCH)]
        rows += of_handle[: len(of_handle) // BATCH * BATCH]
    assert len(rows) >= batches * BATCH
    path.parent.mkdir(parents=True)
    path.write_text("tweet_id,handle\n" + "".join(rows[: batches * BATCH]))


def body(asked, *, share=None, now=None):
    """Return what the API answers; with `share`, so many of the counts are not zero, and random.

    With `now`, the counts of the last three days before it are not settled yet.
    """
    hours = (asked.window.end - asked.window.first).days * 24
    shown = World(seed=SEED, now=now, settle_hours=SETTLE_HOURS if now else 0)
    counts = shown.shown(asked.tweet_ids, asked.types, _midnight(asked.window.first), hours)
    if share is not None:
        chance = np.random.default_rng(SEED)
        counts = np.where(chance.random(counts.shape) < share, chance.geometric(0.02, counts.shape), 0)
    sums = counts.sum(axis=2)
    by_tweet = {
        str(tweet): dict(zip(asked.types, map(str, row), strict=True))
        for tweet, row in zip(asked.tweet_ids, sums.tolist(), strict=True)
    }
    by_type = dict(zip(asked.types, map(str, sums.sum(axis=0).tolist()), strict=True))
    cells = _template(asked.tweet_ids, asked.types, asked.window) % tuple(counts.ravel().tolist())
    return (
        f'{{"{CELLS}":{cells},"{TWEET_SUMS}":{_dumps(by_tweet)},"{TYPE_SUMS}":{_dumps(by_type)},'
        f'"start":"{asked.window.first}T00:00:00Z","end":"{asked.window.end}T00:00:00Z"}}'
    ).encode()


def land(lake, ids, *, window=WINDOW, handles=1, now=None, different=40, settling=False):
    """Land a finished pull, the Tweets dealt out to so many handles in turn; return it.

    Only so many bodies are made; the others are these again with other IDs, which takes a tenth of the time. With
    `settling`, young counts are as they are shown at `now`.
    """
    lake.open()
    now = now or _midnight(window.end)
    plan = Plan(endpoint=HISTORICAL, window=window, types=TYPES, requests=())
    pull = raw.begin(lake, plan, now=now, resume=timedelta(0))
    batches = [
        request(of_handle[at : at + BATCH], window, f"handle{number:02d}")
        for number, of_handle in enumerate(ids[first::handles] for first in range(handles))
        for at in range(0, len(of_handle), BATCH)
    ]
    chosen = np.random.default_rng(SEED).permutation(len(batches))[:different]  # of all ages alike
    made = {}
    for number, asked in enumerate(batches):
        key = (number % different, len(asked.tweet_ids))
        if key not in made:
            like = batches[chosen[key[0]]]
            like = like if len(like.tweet_ids) == key[1] else asked
            made[key] = like.tweet_ids, body(like, now=now if settling else None)
        text = made[key][1]
        for old, new in zip(made[key][0], asked.tweet_ids, strict=True):
            text = text.replace(b'"%d"' % old, b'"%d"' % new)
        pull.accept(pull.land(asked, Response(body=text, asked_at=now + timedelta(milliseconds=number))))
    return pull.marked(finished=True)


def write_lake(lake, ids, window, *, handles=20):
    """Write rows, daily sums and coverage of each day of `window`, on all cores, and the Tweets of so many handles."""
    lake.open()
    posted = [datetime.fromtimestamp(world.created_ms(tweet) / 1000, UTC) for tweet in ids.tolist()]
    tweets = {
        "tweet_id": ids,
        "handle": [f"handle{place % handles:02d}" for place in range(len(ids))],
        "posted_at": posted,
        "followed": [True] * len(ids),
    }
    pq.write_table(pa.table(tweets, schema=TWEETS.schema), lake.tweets)
    lake.staging.mkdir()
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        pool.map(partial(_write_day, lake.root, ids), window.days(), chunksize=1)
    lake.storage.swap(daily.write_months(lake, {day: _sums(lake, day) for day in window.days()}).files)
    shutil.rmtree(lake.staging)


def _write_day(root, ids, day):
    lake = Lake(Path(root))
    path = lake.rows(ENGAGEMENTS, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    sinks = (
        RowGroupWriter(path, ENGAGEMENTS),
        SumsWriter(_sums(lake, day)),
    )
    for at in range(0, len(ids), CHUNK_TWEETS):
        rows = day_rows(ids[at : at + CHUNK_TWEETS], day)
        table = to_table(rows, day)
        sinks[0].append(table)
        sinks[1].append(daily_sums(rows, table))
    for sink in sinks:
        sink.close()
    _write_coverage(lake, ids, day)


def _write_coverage(lake, ids, day):
    """Say of each Tweet that its day was stored whole, two hours after its end."""
    pulled_at = _midnight(day) + timedelta(days=1, hours=2)
    same = {"day": day, "asked_at": pulled_at, "outcome": STORED, "first_pulled_at": pulled_at, "pulled_at": pulled_at}
    same |= {"rows": ROWS_PER_TWEET_DAY, "source": "raw/historical/x.json.zst"}
    columns = {
        field.name: pa.array(ids)
        if field.name == "tweet_id"
        else pa.repeat(pa.scalar(same.get(field.name), field.type), len(ids))
        for field in COVERAGE.schema
    }
    path = lake.coverage(HISTORICAL, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(pa.table(columns, schema=COVERAGE.schema), path, COVERAGE)


def _sums(lake, day):
    return lake.staging / f"{day}.daily.arrow"


def day_rows(ids, day):
    """Return the rows of a day as a publication has them."""
    types = sorted(TYPES)
    counts = world.counts(SEED, ids.tolist(), types, np.arange(24) + int(_midnight(day).timestamp()) // 3600)
    codes = np.array([TYPE_NAMES.index(name) for name in types], np.int8)
    return Rows(
        np.repeat(ids, ROWS_PER_TWEET_DAY),
        np.tile(np.repeat(codes, 24), len(ids)),
        np.tile(np.arange(24, dtype=np.uint8), len(ids) * len(types)),
        counts.ravel(),
    )


@lru_cache(maxsize=1)
def _template(ids, types, window):
    """Return the text of the four-way grouping, with a %d for each count."""
    hours = "{" + ",".join(f'"{hour:02d}":"%d"' for hour in range(24)) + "}"
    days = "{" + ",".join(f'"{day}":{hours}' for day in window.days()) + "}"
    by_type = "{" + ",".join(f'"{name}":{days}' for name in types) + "}"
    return "{" + ",".join(f'"{tweet}":{by_type}' for tweet in ids) + "}"


def bytes_in(folder):
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def peak_memory():
    """Return the most memory that this process ever held, in MB; ru_maxrss would begin with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def _dumps(value):
    return json.dumps(value, separators=(",", ":"))


def _midnight(day):
    return datetime.combine(day, time(), tzinfo=UTC)
