"""A rebuild by months takes little more processor time than a whole one, and holds the lock for little of it.

    .venv/bin/python benchmarks/months.py              # 1,000 Tweets over 112 days; some minutes
    .venv/bin/python benchmarks/months.py 200          # so many Tweets

Four pulls of 28 days, none of which begins with a month but the first, are published. Then copies of the lake are
rebuilt: at once, a month after another, and two months at a time. Each month is a process with one worker, as a run of
Dagster on a machine of its own is. What is compared is processor time, since the cores may be busy. Exit code 1 where
the months take more than MOST times the whole, where more than LOCKED of it is under the lake's lock, or where a file
differs.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from synthetic import ROWS_PER_TWEET_DAY, land, tweet_ids

from engagement_pipeline.core.days import of_month
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table

MOST, LOCKED = 1.5, 0.1
TWEETS, PULLS = 1_000, 4
FIRST, DAYS = date(2025, 10, 1), 28
CORES = (1, 2, 4, 8, 16, 32, 60)
MONTHS = [date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)]


def main() -> int:
    tweets = int(sys.argv[1]) if sys.argv[1:] else TWEETS
    with tempfile.TemporaryDirectory() as name:
        made = Lake(Path(name) / "made")
        for number in range(PULLS):
            window = Window(*(FIRST + timedelta(days=DAYS * number + more) for more in (0, DAYS - 1)))
            land(made, tweet_ids(tweets, FIRST - timedelta(days=28), FIRST), window=window)
        publish_pulls(made)
        cases = {"all at once": (1, [None]), "a month after another": (1, MONTHS), "two months at a time": (2, MONTHS)}
        found = {case: rebuilt(made, *how) for case, how in cases.items()}
    print("| case | wall | processor | of this, under the lock | million rows a second a core |")
    print("|---|--:|--:|--:|--:|")
    rows = tweets * DAYS * PULLS * ROWS_PER_TWEET_DAY
    for case, told in found.items():
        print(
            f"| {case} | {told['wall']:.1f} s | {told['processor']:.1f} s | {told['locked']:.2f} s "
            f"| {rows / told['processor'] / 1e6:.1f} |"
        )
    whole, months = found["all at once"], found["two months at a time"]
    more, locked = months["processor"] / whole["processor"], months["locked"] / months["processor"]
    print(f"\nby months, processor time as a multiple of the whole: {more:.2f} (at most {MOST})")
    print(f"of this, under the lock: {locked:.3f} (at most {LOCKED})")
    model(whole["processor"], months)
    same = len({told["files"] for told in found.values()}) == 1
    print(f"every file is the same to the byte: {same}")
    return int(more > MOST or locked > LOCKED or not same)


def model(whole, months):
    """Print how much faster so many workers would be than a whole rebuild with one, what is under the lock in turn."""
    print("\n| workers | " + " | ".join(map(str, CORES)) + " |\n|---|" + "--:|" * len(CORES))
    free = months["processor"] - months["locked"]
    times = [months["locked"] + free / cores for cores in CORES]
    print("| times a whole rebuild with one | " + " | ".join(f"{whole / each:.1f}" for each in times) + " |")


def rebuilt(made, workers, months):
    """Rebuild a copy of a lake, each of the months in a process of its own; None stands for all days."""
    with tempfile.TemporaryDirectory() as name:
        copy = Lake(shutil.copytree(made.root, Path(name) / "lake"))
        began = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            told = [*pool.map(lambda month: json.loads(process(copy.root, month)), months)]
        wall = time.perf_counter() - began
        digest = sha256()
        for path in sorted(copy.root.rglob("*.parquet")):
            digest.update(path.read_bytes())
    sums = {what: sum(each[what] for each in told) for what in ("processor", "locked")}
    return {"wall": wall, "files": digest.hexdigest(), **sums}


def process(root, month):
    command = [sys.executable, __file__, "--part", str(root), *([str(month)] if month else [])]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def part(root, month=None):
    """Rebuild a month of a lake, or all of it; tell the processor time, and how much of it was under the lock."""
    import pandas as pd  # noqa: F401, PLC0415 - which pyarrow imports with the first array

    locked = []
    really = Lake.locked

    @contextmanager
    def noted(lake, name, waiting_for):
        with really(lake, name, waiting_for):
            began = time.process_time()
            yield
            if name == LAKE_LOCK and lake.root == Path(root):
                locked.append(time.process_time() - began)

    Lake.locked = noted
    days = of_month(date.fromisoformat(month)) if month else [None]
    began = time.process_time()
    lake = Lake(Path(root))
    rebuild_table(lake, lake.hourly, first=days[0], last=days[-1])
    print(json.dumps({"processor": time.process_time() - began, "locked": sum(locked)}))


if __name__ == "__main__":
    if "--part" in sys.argv:
        part(*sys.argv[2:])
    else:
        print(f"{datetime.now(UTC).date()}, Python {sys.version.split()[0]}\n")
        sys.exit(main())
