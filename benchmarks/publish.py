"""Landed responses become Parquet at 5 million rows a second a core, in under 500 MB, however many: three minutes.

    .venv/bin/python benchmarks/publish.py              # 100, 1,000 and 10,000 Tweets over 28 days
    .venv/bin/python benchmarks/publish.py --large      # and 100,000: 1.1 billion rows, ten minutes more

The counts are those of the emulator's world, of Tweets that were posted in the last 90 days, asked for in full
requests. A process of its own decompresses, flattens, audits, sorts and writes them. Its memory is the most that it
held, less what it held with everything imported. Of one handle, the Tweets of a response lie together; of 20, each
response has one in 20 of those around it. Every pull makes the files of 28 days, which takes a third of a second
whatever is in them: so much that the speed is asked of 1,000 Tweets and more. Exit code 1 where a target is missed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from synthetic import ROWS_PER_TWEET_DAY, WINDOW, bytes_in, land, peak_memory, tweet_ids

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

SPEED, MEMORY, TIDY, RAW = 5, 500, 0.15, 0.3  # million rows a second a core, MB, bytes a row, bytes a row
SIZES = (100, 1_000, 10_000)
LARGE = 100_000
FULL_SPEED = 1_000  # Tweets


def main() -> int:
    print("| Tweets, handles | rows | wall | processor | million rows a second a core | MB above the imports |", end="")
    print(" tidy, bytes a row | raw, bytes a row |\n|---|--:|--:|--:|--:|--:|--:|--:|")
    cases = [(tweets, handles) for tweets in SIZES for handles in (1, 20)]
    missed = [case for case in cases + [(LARGE, 20)] * ("--large" in sys.argv) if not measured(*case)]
    print(f"| target | | | | at least {SPEED}, of {FULL_SPEED:,} | under {MEMORY} | at most {TIDY} | at most {RAW} |")
    return int(bool(missed))


def measured(tweets, handles):
    """Run a case, print its row, and tell whether it met the targets."""
    with tempfile.TemporaryDirectory() as name:
        lake = Lake(Path(name) / "lake")
        land(lake, tweet_ids(tweets, date(2025, 11, 3), WINDOW.last), handles=handles)
        command = [sys.executable, __file__, "--publish", str(lake.root)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        rows = tweets * 28 * ROWS_PER_TWEET_DAY
        assert found["stored"] == tweets
        speed = rows / found["processor"] / 1e6
        tidy, landed = (bytes_in(folder) / rows for folder in (lake.root / "engagements", lake.raw))
    print(
        f"| {tweets:,}, {handles} | {rows:,} | {found['wall']:.1f} s | {found['processor']:.1f} s | {speed:.1f} "
        f"| {found['memory']:.0f} | {tidy:.3f} | {landed:.3f} |",
        flush=True,
    )
    fast = speed >= SPEED or tweets < FULL_SPEED
    return fast and found["memory"] < MEMORY and tidy <= TIDY and landed <= RAW


def publish(root):
    """In a process of its own: publish what has landed and tell what it took."""
    import pandas as pd  # noqa: F401, PLC0415 - which pyarrow imports with the first array

    before = peak_memory()
    began, used = time.perf_counter(), time.process_time()
    [publication] = publish_pulls(Lake(Path(root)))
    found = {"wall": time.perf_counter() - began, "processor": time.process_time() - used}
    print(json.dumps(found | {"memory": peak_memory() - before, "stored": len(publication.stored)}))


if __name__ == "__main__":
    if "--publish" in sys.argv:
        publish(sys.argv[-1])
    else:
        print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
        sys.exit(main())
