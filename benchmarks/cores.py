"""Two workers on two cores are 1.8 times as fast as one, and one is 0.7 times as fast as the least that must be done.

    .venv/bin/python benchmarks/cores.py              # 10,000 Tweets over 28 days, of 20 handles; five minutes
    .venv/bin/python benchmarks/cores.py 2000         # so many Tweets

The least is to read each landed response into rows and to write these rows as one Parquet file, without days, merge,
sums, coverage or fsync. Each case runs in a process of its own that may use as many cores as it has workers: with one,
the threads of Arrow and DuckDB would use the other core too. The cases take turns, and the best of ROUNDS counts: the
wall of one worker and of two, the processor time of one worker and of the least. So the first needs two cores of one's
own. What they can give at all is told beside it, by two publications at the same time that share nothing. The model
takes what the process that shares the work out does itself for serial, and a worker's start too.
Exit code 1 where a target is missed.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
from synthetic import ROWS_PER_TWEET_DAY, WINDOW, land, tweet_ids

from engagement_pipeline import sources
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table

FASTER, OF_THE_LEAST, MEMORY = 1.8, 0.7, 500  # times one worker, times the least, MB a worker above the imports
TWEETS, HANDLES, ROUNDS = 10_000, 20, 3
CORES = (1, 2, 4, 8, 16, 28, 64)
DAYS = 28  # of a window; each is with one worker
CASES = (("least", 1), ("publication", 1), ("publication", 2), ("rebuild", 1), ("rebuild", 2))


def main() -> int:
    tweets = int(sys.argv[1]) if sys.argv[1:] else TWEETS
    with tempfile.TemporaryDirectory() as name:
        landed = Lake(Path(name) / "lake")
        land(landed, tweet_ids(tweets, date(2025, 11, 3), WINDOW.last), handles=HANDLES)
        best = dict.fromkeys(CASES)
        beside = float("inf")
        for _ in range(ROUNDS):
            for case in CASES:
                found = measured(landed.root, *case)
                best[case] = better(best[case], found)
            beside = min(beside, side_by_side(landed.root))
    rows = tweets * DAYS * ROWS_PER_TWEET_DAY
    print("| case, workers | wall | processor | of this, what shares the work out | M rows/s a core | MB of a worker |")
    print("|---|--:|--:|--:|--:|--:|")
    for (what, workers), found in best.items():
        total = found["own"] + found["workers"]
        print(
            f"| {what}, {workers} | {found['wall']:.1f} s | {total:.1f} s | {found['own']:.1f} s "
            f"| {rows / total / 1e6:.1f} | {found['memory']:.0f} |"
        )
    ratios = {what: best[what, 1]["wall"] / best[what, 2]["wall"] for what in ("publication", "rebuild")}
    part = best["least", 1]["own"] / best["publication", 1]["own"]
    print(f"\none worker, of the speed of the least: {part:.2f} (target {OF_THE_LEAST})")
    for what, ratio in ratios.items():
        print(f"two workers of a {what}, as a multiple of one: {ratio:.2f} (target {FASTER})")
    apart = 2 * best["publication", 1]["wall"] / beside
    print(f"two publications that share nothing, as a multiple of one: {apart:.2f}")
    model(best)
    memory = max(found["memory"] for found in best.values())
    return int(min(ratios.values()) < FASTER or part < OF_THE_LEAST or memory >= MEMORY)


def better(best, found):
    """Return the least of each figure, but the most memory."""
    if not best:
        return found
    return {name: max(best[name], found[name]) if name == "memory" else min(best[name], found[name]) for name in found}


def model(best):
    """Print how much faster so many cores would be, by Amdahl's law."""
    print("\n| cores | " + " | ".join(map(str, CORES)) + " |\n|---|" + "--:|" * len(CORES))
    for what in ("publication", "rebuild"):
        one, two = best[what, 1], best[what, 2]
        whole, serial = one["own"] + one["workers"], two["own"]
        shared = max(0, two["workers"] - 2 * two["start"])
        times = [whole, *(two["start"] + serial + shared / min(cores, DAYS) for cores in CORES[1:])]
        print(f"| {what}, times one core | " + " | ".join(f"{whole / each:.1f}" for each in times) + " |")


def side_by_side(root):
    """Return the wall of two publications at the same time, each with a lake and a core of its own."""
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(measured, root, "publication", 1, core) for core in (0, 1)]
        return max(each.result()["wall"] for each in both)


def measured(root, what, workers, core=0):
    """Run a case in a process of its own, on a copy of what has landed; `core` is the first that it may use."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "lake"
        shutil.copytree(root, copy)
        if what == "rebuild":
            publish_pulls(Lake(copy))
        command = [sys.executable, __file__, "--case", what, str(workers), str(copy), str(core)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def case(what, workers, root, core="0"):
    """Do it, and tell what it took."""
    import pandas as pd  # noqa: F401, PLC0415 - which pyarrow imports with the first array

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[int(core) :][: int(workers)])
    lake = Lake(Path(root))
    run = {
        "least": lambda: least(lake),
        "publication": lambda: publish_pulls(lake, workers=int(workers)),
        "rebuild": lambda: rebuild_table(lake, lake.hourly, workers=int(workers)),
    }[what]
    start, imports = started()
    peaks: dict[str, int] = {}
    threading.Thread(target=watch, args=(peaks,), daemon=True).start()
    began, own, children = time.perf_counter(), used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN)
    run()
    found = {
        "wall": time.perf_counter() - began,
        "own": used(resource.RUSAGE_SELF) - own,
        "workers": used(resource.RUSAGE_CHILDREN) - children,
        "memory": max((peak - imports for peak in peaks.values()), default=0) / 1024,
        "start": start,
    }
    print(json.dumps(found))


def least(lake):
    """Read each response, and write its rows."""
    (pull,) = raw.all_pulls(lake)
    with pq.ParquetWriter(lake.root / "bare.parquet", ENGAGEMENTS.schema, compression="zstd") as sink:
        for landed in pull.landed():
            sink.write_table(sources.read(landed.body(), landed.request).rows)


def used(who):
    """Return the processor time of this process, or of its children that have ended."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def started():
    """Return the processor time and the most memory, in kB, of a process that only begins as a worker does."""
    before = used(resource.RUSAGE_CHILDREN)
    code = "import engagement_pipeline.publish.hourly; print(open('/proc/self/status').read())"
    said = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout
    return used(resource.RUSAGE_CHILDREN) - before, peak_of(said)


def watch(peaks):
    """Note the most memory of each child of this process, in kB, ten times a second, until the process ends."""
    while True:
        with suppress(OSError):  # of a process that has just ended
            for child in Path("/proc/self/task").glob("*/children"):
                for process in child.read_text().split():
                    status = Path(f"/proc/{process}/status").read_text(errors="replace")
                    peaks[process] = peak_of(status) or peaks.get(process, 0)
        time.sleep(0.1)


def peak_of(status):
    """Return VmHWM of a process's status, in kB; 0 of one that is ending."""
    lines = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0]) if lines else 0


if __name__ == "__main__":
    if "--case" in sys.argv:
        case(*sys.argv[2:])
    else:
        print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
        sys.exit(main())
