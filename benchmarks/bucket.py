"""What a lake in a bucket asks its store for, and how much longer its work takes than on a disk.

    .venv/bin/python benchmarks/bucket.py                                # moto stands for the store; some minutes
    .venv/bin/python tests/support/ceph.py .venv/bin/python benchmarks/bucket.py     # Ceph's gateway does

Requests are counted on the wire: those of a daily run for each file of a day, those that it makes whatever its days,
and those of one Tweet's life by day. Exit code 1 where there are more than the targets allow.

Then a daily run, a publication and a rebuild take turns on a disk and in a bucket, in processes that may use as many
cores as they have workers. The least of ROUNDS counts. The store lies on this machine, so the way to it takes no time,
and it wants the cores too. It is a process of its own, so its time is not in the processor time of a case.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import buckets
from faulty_store import way_to
from synthetic import WINDOW, land, tweet_ids

from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.places import place
from engagement_pipeline.emulator import Emulator
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import catalog

NOW = datetime(2026, 2, 1, tzinfo=UTC)
TWEETS = 50  # of one handle: 2 requests to the API
SHORT, LONG = 14, 28  # days of a run
MOST_A_FILE = 4  # requests for a day's file: of rows, and of coverage
MOST_FIXED = 180  # of a daily run, whatever its days
MOST_A_QUERY = 15
LIFE = "select day, sum(\"count\") from daily where tweet_id = {} and engagement_type = 'impressions' group by day"
PUBLISHED, HANDLES = 1_000, 20  # of what is published and rebuilt
DAILY = "a daily run"
CASES = ((DAILY, 1), ("a publication", 1), ("a publication", 2), ("a rebuild", 1), ("a rebuild", 2))
ROUNDS = 2


def main():
    with store() as variables, tempfile.TemporaryDirectory() as name, emulated(Path(name)) as (world, tweet):
        os.environ.update(variables)
        missed = requests(world, tweet)
        times(world, Path(name))
    return int(missed)


@contextmanager
def store():
    """Run the store in a process of its own, or take the one that ceph.py runs; yield the variables that lead to it."""
    command = [sys.executable, __file__, "--store"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def be_store():
    with buckets.store() as variables:
        print(json.dumps(variables), flush=True)
        sys.stdin.read()


@contextmanager
def emulated(root):
    """Have an API that answers, and a roster; yield the variables that lead to them, and a Tweet."""
    emulator = Emulator(now=NOW, requests_per_minute=6000)
    Thread(target=emulator.run, daemon=True).start()
    emulator.credentials.write_accounts(root / "accounts.toml")
    followed = [t for t in emulator.world.tweets() if t.handle == "harborbooks" and t.state == "ok"][:TWEETS]
    (root / "roster.csv").write_text("tweet_id,handle\n" + "".join(f"{t.tweet_id},{t.handle}\n" for t in followed))
    variables = {
        "CONFIG": os.devnull,
        "API_URL": emulator.url,
        "AUTH_URL": emulator.url,
        "ACCOUNTS": root / "accounts.toml",
        "TWEETS": root / "roster.csv",
        "REQUESTS_PER_MINUTE": 6000,
    }
    yield {settings.PREFIX + name: str(value) for name, value in variables.items()}, followed[0].tweet_id
    emulator.stop()


def chosen(world, data, *, later):
    """Return the settings of a run into a lake: at NOW, or six hours `later`."""
    now = NOW + timedelta(hours=6 * later)
    return settings.load(
        world | {f"{settings.PREFIX}DATA": str(data), f"{settings.PREFIX}NOW": now.isoformat()},
    )


def run(found, days=LONG):
    last = found.last_whole_day()
    pipeline.run(found, prepare(found, last - timedelta(days=days - 1), last))


def requests(world, tweet):
    """Print what the store is asked for; tell whether that is more than a target."""
    direct = os.environ["AWS_ENDPOINT_URL"]
    with way_to(direct) as (address, way):
        os.environ["AWS_ENDPOINT_URL"] = address
        runs = {}
        for days in (SHORT, LONG):
            data = buckets.new_place()
            run(chosen(world, data, later=False), days)  # the day before, which fills the tables
            runs[days] = counted(way, lambda data=data, days=days: run(chosen(world, data, later=True), days))
        a_file = (runs[LONG] - runs[SHORT]) / (LONG - SHORT) / 2
        fixed = runs[LONG] - a_file * 2 * LONG
        query = counted(way, lambda: catalog.query(Lake(data), LIFE.format(tweet)))
        os.environ["AWS_ENDPOINT_URL"] = direct
    print(f"{'daily run of 28 days':40} {runs[LONG]:6,} requests")
    print(f"{'of them, whatever the days':40} {fixed:6,.0f} requests, target {MOST_FIXED}")
    print(f"{'for each file of a day':40} {a_file:6.2f} requests, target {MOST_A_FILE}")
    print(f"{'one Tweet, its life by day':40} {query:6,} requests, target {MOST_A_QUERY}")
    return a_file > MOST_A_FILE or fixed > MOST_FIXED or query > MOST_A_QUERY


def counted(way, action):
    before = way.asked.total()
    action()
    return way.asked.total() - before


def times(world, root):
    """Print what each case takes on a disk and in a bucket."""
    best = {}
    for turn in range(ROUNDS):
        for number, case in enumerate(CASES):
            for where in ("disk", "bucket"):
                data = buckets.new_place() if where == "bucket" else root / f"{turn}-{number}"
                found = measured(world, data, *case)
                best[where, case] = [*map(min, best.get((where, case), found), found)]
    print("\n| case | workers | wall on a disk | in a bucket | times | times one worker on a disk |", end="")
    print(" processor time on a disk | in a bucket | times |\n|---|" + "--:|" * 8)
    for case in CASES:
        (disk, by_disk), (bucket, by_bucket) = best["disk", case], best["bucket", case]
        (one, _) = best["disk", (case[0], 1)]
        print(
            f"| {case[0]} | {case[1]} | {disk:.2f} s | {bucket:.2f} s | {bucket / disk:.2f} | {bucket / one:.2f} "
            f"| {by_disk:.2f} s | {by_bucket:.2f} s | {by_bucket / by_disk:.2f} |"
        )


def measured(world, data, what, workers):
    """Return the wall and the processor time of a case, in a process of its own."""
    if what == DAILY:
        run(chosen(world, data, later=False))
    else:
        land(Lake(data), tweet_ids(PUBLISHED, date(2025, 11, 3), WINDOW.last), handles=HANDLES)
    if what == "a rebuild":
        publish_pulls(Lake(data))
    command = [sys.executable, __file__, "--case", what, str(workers), str(data)]
    return json.loads(subprocess.run(command, env=os.environ | world, check=True, stdout=subprocess.PIPE).stdout)


def be_case(what, workers, data):
    """Do it, and tell what it took."""
    import pandas as pd  # noqa: F401, PLC0415 - which pyarrow imports with the first array

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(workers)])
    lake = Lake(place(data))
    do = {
        DAILY: lambda: run(chosen(dict(os.environ), data, later=True)),
        "a publication": lambda: publish_pulls(lake, workers=int(workers)),
        "a rebuild": lambda: rebuild_table(lake, lake.hourly, workers=int(workers)),
    }[what]
    began, before = time.perf_counter(), used()
    do()
    print(json.dumps([time.perf_counter() - began, used() - before]))


def used():
    """Return the processor time of this process, and of its children that have ended."""
    spent = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


if __name__ == "__main__":
    if "--store" in sys.argv:
        be_store()
    elif "--case" in sys.argv:
        be_case(*sys.argv[2:])
    else:
        print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
        sys.exit(main())
