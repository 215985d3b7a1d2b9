"""How much of the contracted rate a pull uses, and whether the API ever has to refuse: about seven minutes.

    .venv/bin/python benchmarks/pacing.py

The emulator runs in a process of its own, at 300 requests a minute and 1 s before each answer; pulls run in theirs, as
the command line runs them. Of the three minutes that begin with the first request, it prints the requests that were
answered as a share of the budget, and those in flight; of the whole case, the 429s that the emulator counted. Exit
code 1 where a target is missed.
"""

import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from synthetic import write_roster

from engagement_pipeline import pulling
from engagement_pipeline.core import settings
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

PER_MINUTE = 300
LATENCY = 1.0  # seconds
SPAN = timedelta(minutes=3)
BUDGET = PER_MINUTE * 3
TARGET = 0.97  # of the budget
DAY = date(2026, 1, 31)  # one day of one type: small bodies, so that the machine is not what is measured
CASES = {"one pull": [BUDGET + 20], "two pulls started together": [BUDGET // 2 + 30] * 2}  # requests of each


def main() -> int:
    print("| case | answered in 3 minutes | of the budget | 429s | in flight, mean | most |\n|---|--:|--:|--:|--:|--:|")
    missed = [case for case, pulls in CASES.items() if not measured(case, pulls)]
    return int(bool(missed))


def measured(case, pulls):
    """Run a case, print its row, and tell whether it met the targets."""
    with tempfile.TemporaryDirectory() as name, emulator(Path(name)) as url:
        lakes = [Path(name) / f"lake{number}" for number in range(len(pulls))]
        run(url, Path(name) / "accounts.toml", dict(zip(lakes, pulls, strict=True)))
        log = "select asked_at, seconds from requests where status = 200"
        answered = [row for lake in lakes for row in catalog.query(Lake(lake), log).to_pylist()]
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy there is
        with direct.open(url + "/admin/requests") as answer:
            statuses = [request["status"] for request in json.load(answer)["requests"]]
    begin = min(row["asked_at"] for row in answered)
    spans = [(row["asked_at"], row["seconds"]) for row in answered if row["asked_at"] < begin + SPAN]
    share, refused = len(spans) / BUDGET, statuses.count(429)
    mean = sum(seconds for _, seconds in spans) / SPAN.total_seconds()
    print(f"| {case} | {len(spans)} of {BUDGET} | {share:.1%} | {refused} | {mean:.1f} | {most_at_a_time(spans)} |")
    return share >= TARGET and refused == 0 and len(answered) == len(statuses) == sum(pulls)


def most_at_a_time(spans):
    """Return the most requests in flight at any moment."""
    changes = sorted(
        change for sent, seconds in spans for change in ((sent, 1), (sent + timedelta(seconds=seconds), -1))
    )
    return max(accumulate(change for _, change in changes))


@contextmanager
def emulator(folder):
    """Run the emulated API in another process; give its URL. Its accounts.toml is in `folder`."""
    command = [sys.executable, "-m", "engagement_pipeline", "emulator", "--port", "0", "--now", "2026-02-01"]
    command += ["--requests-per-minute", str(PER_MINUTE), "--latency", str(LATENCY)]
    command += ["--accounts", str(folder / "accounts.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield re.search(r"http://[\d.:]+", process.stdout.readline())[0]
        finally:
            process.terminate()


def run(url, accounts, lakes):
    """Pull into each lake so many requests, all processes started together."""
    processes = []
    for lake, requests in lakes.items():
        write_roster(lake / "tweets" / "roster.csv", requests, DAY)
        chosen = {
            "CONFIG": os.devnull,
            "API_URL": url,
            "DATA": str(lake),
            "ACCOUNTS": str(accounts),
            "TWEETS": str(lake / "tweets" / "*"),
            "TYPES": "impressions",
            "REQUESTS_PER_MINUTE": str(PER_MINUTE),
            "NOW": "2026-02-01",
        }
        environment = {settings.PREFIX + key: value for key, value in chosen.items()}
        processes.append(multiprocessing.get_context("spawn").Process(target=pull, args=(environment,)))
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            sys.exit("a pull failed")


def pull(environment):
    """In a process: what `engagement pull` does until everything has landed."""
    chosen = settings.load(environment)
    pulling.pull(chosen, prepare(chosen, DAY, DAY))


if __name__ == "__main__":
    print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    sys.exit(main())
