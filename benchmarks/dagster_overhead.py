"""What Dagster costs around a pull that asks nothing, in one process and in a process a step: five minutes.

    .venv/bin/python benchmarks/dagster_overhead.py

The job is `daily` over 28 partitions, run as `make demo` runs it: a new process imports Dagster, loads
assets/definitions.py and runs each step, its storage in SQLite as deploy/dagster.yaml has it, or in PostgreSQL as
deploy/systemd has it, where Debian's server is installed. The roster's only Tweet is younger than the window, so there
is nothing to ask and nothing to publish; what the library takes for the same, the days' reports and checks included,
in a process of its own, is taken off.
The cases take turns; the median counts. Exit code 1 where the project's own executor misses the target.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

CLONE = Path(__file__).parents[1]
sys.path.append(str(CLONE / "tests" / "support"))
import postgres  # noqa: E402 - the tests' own cluster

TURNS = 5
TARGET = 4.0  # seconds a run, in one process
FIRST, LAST, NOW = "2026-01-04", "2026-01-31", "2026-02-01T12:00:00Z"
YOUNG = (int(datetime(2026, 2, 1, 6, tzinfo=UTC).timestamp() * 1000) - 1288834974657) << 22
TAGS = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}
MULTIPROCESS = """
import dagster as dg
from assets import definitions

defs = dg.Definitions(
    assets=definitions.defs.assets,
    asset_checks=definitions.defs.asset_checks,
    jobs=definitions.defs.jobs,
    executor=dg.multiprocess_executor,
)
"""
LIBRARY = """
from datetime import date, timedelta
from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core import settings
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import combined
from engagement_pipeline.query import catalog
chosen = settings.load()
first, last = date.fromisoformat("{first}"), date.fromisoformat("{last}")
days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
prepared = prepare(chosen, first, last)
assert prepared.requests == 0
pulling.pull(chosen, prepared)
assert list(pipeline.publish_days(chosen, days).reports) == days
assert not any(finding.failed for finding in combined.of_groups(chosen, days))
catalog.refresh(Lake(chosen.data))
catalog.rows(Lake(chosen.data))
"""
ALONE, CHOSEN, LASTING, OTHER = "the library alone", "SQLite", "PostgreSQL", "SQLite, a process a step"


def main() -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cases = prepared(folder, stack)
        for command, environment in cases.values():
            measured(command, environment)  # makes the lake and the instance, and warms the disk's cache
        taken = {case: [] for case in cases}
        for _ in range(TURNS):
            for case, (command, environment) in cases.items():
                taken[case].append(measured(command, environment))
    elapsed, busy = ({case: [run[of] for run in runs] for case, runs in taken.items()} for of in (0, 1))
    print("| case | a run, median | fastest | slowest | Dagster's part | CPU | Dagster's part |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for case, times in elapsed.items():
        spread = f"{statistics.median(times):.1f} s | {min(times):.1f} s | {max(times):.1f} s"
        cpu = f"{statistics.median(busy[case]):.1f} s | {part(busy, case)}"
        print(f"| {case} | {spread} | {part(elapsed, case)} | {cpu} |")
    return int(any(dagsters(elapsed, case) > TARGET for case in (CHOSEN, LASTING) if case in cases))


def dagsters(seconds, case):
    """Return what a case takes beyond the library alone, by their medians."""
    return statistics.median(seconds[case]) - statistics.median(seconds[ALONE])


def part(seconds, case):
    """Return the same as text, empty for the library itself."""
    return "" if case == ALONE else f"{dagsters(seconds, case):.1f} s"


def prepared(folder, stack):
    """Write all that the cases need, start PostgreSQL; return the command of each case and its environment."""
    (folder / "accounts.toml").write_text(
        '[app]\nconsumer_key = "k"\nconsumer_secret = "s"\n'
        '[accounts.harborbooks]\naccess_token = "1-t"\naccess_token_secret = "s"\n'
    )
    (folder / "accounts.toml").chmod(0o600)
    (folder / "roster.csv").write_text(f"tweet_id,handle\n{YOUNG},harborbooks\n")
    (folder / "multiprocess.py").write_text(MULTIPROCESS)
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
    environment = outside | variables | {"PYTHONPATH": str(CLONE)}
    sqlite = environment | home(folder / "sqlite", "deploy/dagster.yaml")
    library = [sys.executable, "-c", LIBRARY.format(first=FIRST, last=LAST)]
    cases = {ALONE: (library, environment), CHOSEN: (run("assets/definitions.py"), sqlite)}
    if why := postgres.missing():
        print(f"without PostgreSQL: {why}")
    else:
        told = (CLONE / "deploy/systemd/engagement.env").read_text()
        batches = dict(re.findall(r"^(DAGSTER_EVENT_\w+)=(.*)$", told, re.MULTILINE))
        server = stack.enter_context(postgres.cluster()).environment
        lasting = environment | batches | server | home(folder / "postgresql", "deploy/systemd/dagster.yaml")
        cases[LASTING] = (run("assets/definitions.py"), lasting)
    return cases | {OTHER: (run(folder / "multiprocess.py"), sqlite)}


def home(folder, instance):
    """Make a Dagster home with an instance of the project; return the variable that names it."""
    folder.mkdir()
    (folder / "dagster.yaml").write_text((CLONE / instance).read_text())
    return {"DAGSTER_HOME": str(folder)}


def run(file):
    """Return the command that runs the daily job of a file."""
    job = [sys.executable, "-m", "dagster", "job", "execute", "--job", "daily", "--tags", json.dumps(TAGS)]
    return [*job, "--python-file", str(file), "--working-directory", str(CLONE)]


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
