"""What a lake in a bucket asks its store for: requests of a daily run by day's file, and of one Tweet's life by day.

In: nothing; moto stands for the store, on this machine. Out: a table of requests; it fails where a target is missed.
Requests are counted on the wire, between the program and the store.
"""

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import buckets
from faulty_store import way_to

from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.emulator import Emulator
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

NOW = datetime(2026, 2, 1, tzinfo=UTC)
TWEETS = 50  # of one handle: 2 requests to the API
SHORT, LONG = 14, 28  # days of a run
MOST_A_FILE = 4  # requests for a day's file: of rows, and of coverage
MOST_A_QUERY = 15
LIFE = "select day, sum(\"count\") from daily where tweet_id = {} and engagement_type = 'impressions' group by day"


def chosen(emulator, root, data, now):
    variables = {
        "CONFIG": os.devnull,
        "API_URL": emulator.url,
        "AUTH_URL": emulator.url,
        "DATA": data,
        "ACCOUNTS": root / "accounts.toml",
        "TWEETS": root / "roster.csv",
        "REQUESTS_PER_MINUTE": 6000,
        "NOW": now.isoformat(),
    }
    return settings.load({settings.PREFIX + name: str(value) for name, value in variables.items()})


def run(found, days):
    last = found.last_whole_day()
    pipeline.run(found, prepare(found, last - timedelta(days=days - 1), last))


def counted(way, action):
    before = way.asked.total()
    action()
    return way.asked.total() - before


def main():
    with buckets.store() as variables, way_to(variables["AWS_ENDPOINT_URL"]) as (address, way):
        os.environ.update(variables | {"AWS_ENDPOINT_URL": address})
        emulator = Emulator(now=NOW, requests_per_minute=6000)
        Thread(target=emulator.run, daemon=True).start()
        root = Path(tempfile.mkdtemp())
        emulator.credentials.write_accounts(root / "accounts.toml")
        followed = [t for t in emulator.world.tweets() if t.handle == "harborbooks" and t.state == "ok"][:TWEETS]
        (root / "roster.csv").write_text("tweet_id,handle\n" + "".join(f"{t.tweet_id},{t.handle}\n" for t in followed))
        runs = {}
        for days in (SHORT, LONG):
            data = str(buckets.new_place())
            run(chosen(emulator, root, data, NOW), days)  # the day before, which fills the tables
            later = chosen(emulator, root, data, NOW + timedelta(hours=6))
            runs[days] = counted(way, lambda later=later, days=days: run(later, days))
        a_file = (runs[LONG] - runs[SHORT]) / (LONG - SHORT) / 2
        query = counted(way, lambda: catalog.query(Lake(later.data), LIFE.format(followed[0].tweet_id)))
        emulator.stop()
    fixed = runs[LONG] - a_file * 2 * LONG
    print(f"{'daily run of 28 days':40} {runs[LONG]:6,} requests, {fixed:,.0f} of them whatever the days")
    print(f"{'for each file of a day':40} {a_file:6.2f} requests, target {MOST_A_FILE}")
    print(f"{'one Tweet, its life by day':40} {query:6,} requests, target {MOST_A_QUERY}")
    return int(a_file > MOST_A_FILE or query > MOST_A_QUERY)


if __name__ == "__main__":
    sys.exit(main())
