"""At 600 requests a minute, answered after 1 s each, a pull keeps the rate and the processor idles: two minutes.

    .venv/bin/python benchmarks/pull.py

The emulator runs in a process of its own; a pull in its own asks for 28 days of 25 Tweets and all types in each
request, the largest answers there are. It lands, flattens and audits what comes meanwhile. Printed are the requests of
the first minute that were answered, as a share of the budget, and the processor seconds of the pull a second of wall
time. Exit code 1 where a target is missed.
"""

import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from synthetic import write_roster

from engagement_pipeline import pulling
from engagement_pipeline.core import settings
from engagement_pipeline.core.model import Window
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

PER_MINUTE = 600
LATENCY = 1.0  # seconds
SHARE, LOAD = 0.97, 0.5  # of the budget, of a core
WINDOW = Window(date(2026, 1, 4), date(2026, 1, 31))
REQUESTS = PER_MINUTE + 30
MINUTE = timedelta(minutes=1)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "engagement_pipeline", "emulator", "--port", "0", "--now", "2026-02-01"]
        command += ["--requests-per-minute", str(PER_MINUTE), "--latency", str(LATENCY)]
        command += ["--accounts", str(folder / "accounts.toml")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator:
            try:
                url = re.search(r"http://[\d.:]+", emulator.stdout.readline())[0]
                wall, processor = run(folder, url)
            finally:
                emulator.terminate()
        log = "select asked_at, seconds, bytes from requests where status = 200 order by asked_at"
        answered = catalog.query(Lake(folder / "lake"), log).to_pylist()
    first = [row for row in answered if row["asked_at"] < answered[0]["asked_at"] + MINUTE]
    share, load = len(first) / PER_MINUTE, processor / wall
    seconds = sum(row["seconds"] for row in first) / len(first)
    megabytes = sum(row["bytes"] for row in first) / 1e6
    print(
        "| answered in a minute | of the budget | MB a second, packed | seconds an answer, mean | of a core, the pull |"
    )
    print("|--:|--:|--:|--:|--:|")
    print(f"| {len(first)} of {PER_MINUTE} | {share:.1%} | {megabytes / 60:.1f} | {seconds:.1f} | {load:.2f} |")
    print(f"| target | at least {SHARE:.0%} | | | under {LOAD} |")
    return int(share < SHARE or load >= LOAD or len(answered) < REQUESTS)


def run(folder, url):
    """Pull in another process; return its wall and processor seconds."""
    write_roster(folder / "tweets" / "roster.csv", REQUESTS, WINDOW.first)
    chosen = {
        "CONFIG": os.devnull,
        "API_URL": url,
        "DATA": str(folder / "lake"),
        "ACCOUNTS": str(folder / "accounts.toml"),
        "TWEETS": str(folder / "tweets" / "*"),
        "REQUESTS_PER_MINUTE": str(PER_MINUTE),
        "NOW": "2026-02-01",
    }
    environment = {settings.PREFIX + key: value for key, value in chosen.items()}
    process = multiprocessing.get_context("spawn").Process(target=pull, args=(environment, folder / "took.json"))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("the pull failed")
    return json.loads((folder / "took.json").read_text())


def pull(environment, path):
    """In a process: what `engagement pull` does until everything has landed."""
    chosen = settings.load(environment)
    prepared = prepare(chosen, WINDOW.first, WINDOW.last)
    began, used = time.perf_counter(), time.process_time()
    pulling.pull(chosen, prepared)
    path.write_text(json.dumps([time.perf_counter() - began, time.process_time() - used]))


if __name__ == "__main__":
    print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    sys.exit(main())
