"""What Dagster costs around a pull that asks nothing, in one process and in a process a step: about two minutes.

    .venv/bin/python benchmarks/dagster_overhead.py

The job is `daily` over 28 partitions, run as `make demo` runs it: a new process imports Dagster, loads the code
location and runs three steps, its storage in SQLite. The roster's only Tweet is younger than the window, so there is
nothing to ask and nothing to publish; what the library takes for the same, in a process of its own, is taken off.
The cases take turns; the median counts. The CPU seconds stay about the same while other work slows the machine. Exit
code 1 where the target is missed.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

CLONE = Path(__file__).parents[1]
TURNS = 5
TARGET = 4.0  # seconds a run, in one process
FIRST, LAST, NOW = "2026-01-04", "2026-01-31", "2026-02-01T12:00:00Z"
YOUNG = (int(datetime(2026, 2, 1, 6, tzinfo=UTC).timestamp() * 1000) - 1288834974657) << 22
TAGS = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}
DEFINITIONS = """
import dagster as dg
from assets.definitions import catalog, daily_job, engagements, recent, responses, totals

defs = dg.Definitions(
    assets=[responses, engagements, catalog, totals, recent], jobs=[daily_job], executor=dg.{executor}_executor
)
"""
LIBRARY = """
from datetime import date
from engagement_pipeline import pipeline, settings
chosen = settings.load()
prepared = pipeline.prepare(chosen, date.fromisoformat("{first}"), date.fromisoformat("{last}"))
assert prepared.requests == 0
pipeline.run(chosen, prepared)
"""
CASES = {"the library alone": None, "in_process": "in_process", "multiprocess": "multiprocess"}


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = prepared(folder)
        commands = {case: command(folder, executor) for case, executor in CASES.items()}
        for case in CASES:
            measured(commands[case], environment)  # makes the lake and the instance, and warms the disk's cache
        taken = {case: [] for case in CASES}
        for _ in range(TURNS):
            for case in CASES:
                taken[case].append(measured(commands[case], environment))
    elapsed, busy = ({case: [run[of] for run in runs] for case, runs in taken.items()} for of in (0, 1))
    print("| case | a run, median | fastest | slowest | Dagster's part | CPU | Dagster's part |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for case, times in elapsed.items():
        spread = f"{statistics.median(times):.1f} s | {min(times):.1f} s | {max(times):.1f} s"
        cpu = f"{statistics.median(busy[case]):.1f} s | {part(busy, case)}"
        print(f"| {case} | {spread} | {part(elapsed, case)} | {cpu} |")
    return int(dagsters(elapsed, "in_process") > TARGET)


def dagsters(seconds, case):
    """Return what a case takes beyond the library alone, by their medians."""
    return statistics.median(seconds[case]) - statistics.median(seconds["the library alone"])


def part(seconds, case):
    """Return the same as text, empty for the library itself."""
    return f"{dagsters(seconds, case):.1f} s" if CASES[case] else ""


def prepared(folder):
    """Write accounts, roster and Dagster home; return the environment that finds them."""
    (folder / "accounts.toml").write_text(
        '[app]\nconsumer_key = "k"\nconsumer_secret = "s"\n'
        '[accounts.harborbooks]\naccess_token = "1-t"\naccess_token_secret = "s"\n'
    )
    (folder / "accounts.toml").chmod(0o600)
    (folder / "roster.csv").write_text(f"tweet_id,handle\n{YOUNG},harborbooks\n")
    (folder / "home").mkdir()
    (folder / "home" / "dagster.yaml").write_text((CLONE / "deploy" / "dagster.yaml").read_text())
    chosen = {
        "CONFIG": os.devnull,
        "API_URL": "http://127.0.0.1:9",  # nobody listens: a request would fail
        "DATA": folder / "lake",
        "ACCOUNTS": folder / "accounts.toml",
        "TWEETS": folder / "roster.csv",
        "FIRST_DAY": FIRST,
        "NOW": NOW,
    }
    outside = {name: value for name, value in os.environ.items() if not name.startswith("ENGAGEMENT_")}
    variables = {f"ENGAGEMENT_{name}": str(value) for name, value in chosen.items()}
    return outside | variables | {"DAGSTER_HOME": str(folder / "home"), "PYTHONPATH": str(CLONE)}


def command(folder, executor):
    """Return the command of a case; that of Dagster loads the project's assets with the executor."""
    if not executor:
        return [sys.executable, "-c", LIBRARY.format(first=FIRST, last=LAST)]
    file = folder / f"{executor}.py"
    file.write_text(DEFINITIONS.format(executor=executor))
    run = [sys.executable, "-m", "dagster", "job", "execute", "--job", "daily", "--tags", json.dumps(TAGS)]
    return [*run, "--python-file", str(file), "--working-directory", str(CLONE)]


def measured(arguments, environment):
    """Run a command to its end; return the seconds that it took, and those of CPU, its children's included."""
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(arguments, cwd=CLONE, env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            said.seek(0)
            sys.exit(f"{said.read()}\na run failed")
    return elapsed, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    sys.exit(main())
