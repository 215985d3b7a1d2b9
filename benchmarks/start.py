"""--help in 120 ms, and `engagement sql` in at most 1.7 times DuckDB's time on the same catalogue: a minute.

    .venv/bin/python benchmarks/start.py

Each command is a process of its own. Shown is the processor time, the best of some, with the files in the system's
cache. Exit code 1 where a target is missed.
"""

import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

from synthetic import tweet_ids, write_lake

from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

ENGAGEMENT = [sys.executable, "-m", "engagement_pipeline"]
SQL = "select count(*) from engagements"
BARE = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql(sys.argv[2]).fetchall())"
TIMES = 15
HELP_SECONDS, SQL_RATIO = 0.12, 1.7


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        lake = Lake(Path(name))
        write_lake(
            lake, tweet_ids(300, date(2024, 7, 1), date(2025, 12, 31)), Window(date(2025, 12, 1), date(2025, 12, 31))
        )
        catalog.refresh(lake)
        environment = os.environ | {"ENGAGEMENT_DATA": name}
        nothing = best([sys.executable, "-c", "pass"], environment)
        explained = best([*ENGAGEMENT, "--help"], environment)
        asked = best([*ENGAGEMENT, "sql", SQL], environment)
        bare = best([sys.executable, "-c", BARE, str(lake.catalog), SQL], environment)
    print("| command | seconds | target |\n|---|--:|--:|")
    print(f"| Python alone | {nothing:.3f} | |")
    print(f"| `engagement --help` | {explained:.3f} | under {HELP_SECONDS} |")
    print(f"| `engagement --help`, as a multiple | {explained / nothing:.1f} | |")
    print(f"| `engagement sql` | {asked:.3f} | |")
    print(f"| DuckDB alone | {bare:.3f} | |")
    print(f"| `engagement sql`, as a multiple | {asked / bare:.2f} | at most {SQL_RATIO} |")
    return int(explained >= HELP_SECONDS or asked / bare > SQL_RATIO)


def best(command, environment):
    """Return the least processor time of some runs of a command, in seconds."""
    return min(once(command, environment) for _ in range(TIMES))


def once(command, environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    sys.exit(main())
