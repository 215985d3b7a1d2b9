"""The whole job on the emulator: no network, no credentials.

`run` makes a lake of its own as a team had it after a while (demo_lake.py), pulls 28 days into it through Dagster, and
asks it three questions. `up` keeps the Dagster UI and the emulator running. Both start Dagster by its command, as a
user does. This package never imports it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from engagement_pipeline import pipeline
from engagement_pipeline.cli import demo_lake, grid, output, progress
from engagement_pipeline.cli.home import home
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import EngagementError, InputError
from engagement_pipeline.core.loopback import without_loopback
from engagement_pipeline.core.orchestration import API_POOL, RANGE_END, RANGE_START
from engagement_pipeline.core.places import in_bucket, is_address
from engagement_pipeline.emulator import Emulator
from engagement_pipeline.extract.progress import REQUESTS
from engagement_pipeline.lake.inventory import LAKE_FILE
from engagement_pipeline.lake.layout import FORMAT, Lake
from engagement_pipeline.observe.agreement import agreement
from engagement_pipeline.query import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagement_pipeline.extract.prepare import Prepared

UP_DAYS = 60  # partitions behind today that `up` offers
REQUESTS_PER_MINUTE = 1_200
DAGSTER, DG = ["-m", "dagster"], ["-m", "dagster_dg_cli.cli"]
# The successor that this warning names, dg launch, takes no tags, and so no range of days.
EXECUTE = ["-W", "ignore:Function `job_execute_command` is superseded", *DAGSTER, "job", "execute"]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # to this machine, whatever proxy there is
EMULATED = "emulator"  # the note in a lake in a bucket that an emulator fills
IN_BUCKET = f"{settings.PREFIX}DATA names another place"
GLANCE = 0.1  # seconds between two looks at what Dagster has done
QUESTIONS = {
    "top Tweets by impressions": """
        select tweet_id, handle, posted_at::date as posted, sum("count")::bigint as impressions
        from daily join tweets using (tweet_id)
        where engagement_type = 'impressions'
        group by all order by impressions desc, tweet_id limit 5""",
    "impressions a day, the last week": """
        select day, sum("count")::bigint as impressions
        from daily where engagement_type = 'impressions' and day > date '2026-03-24'
        group by day order by day""",
    "engagements for 100 impressions, by hour of the day (UTC)": """
        select hour, round(100 * sum("count") filter (engagement_type = 'engagements')
            / sum("count") filter (engagement_type = 'impressions'), 2)::double as rate
        from engagements group by hour having hour % 3 = 0 order by hour""",
}


def run(data: Path) -> None:
    """Make the demo's lake, the last 28 days in one Dagster run, and print the answers to three queries.

    It lies in `data` with the files of the emulator; or where ENGAGEMENT_DATA says, if that is an address.
    """
    lake = _lake_of(data)
    with (
        world(data, now=demo_lake.NOW, first_day=demo_lake.FIRST_DAY, settle_hours=demo_lake.SETTLE_HOURS) as answering,
        tempfile.TemporaryDirectory() as dagster_home,
    ):
        emulator, environment = answering
        demo_lake.clear(lake)
        _claim(lake)
        _set_up(Path(dagster_home))
        print("what three brands had pulled on earlier mornings, by the emulator's clock:", flush=True)
        for morning in demo_lake.MORNINGS:
            print(demo_lake.pull_at(morning, emulator, environment, lake), flush=True)
        prepared = demo_lake.prepare_at(demo_lake.TODAY, emulator, environment)
        print(f"\nthe plan of {demo_lake.TODAY.on}, which pulls the last 28 days again, since counts change:")
        output.show_plan([prepared])
        print("\none Dagster run over 28 daily partitions:", flush=True)
        _run_job(emulator, prepared, environment | {"DAGSTER_HOME": dagster_home}, log=data / "dagster.log")
    total = catalog.query(lake, "select count(*) as n, count(distinct tweet_id) as tweets from engagements")
    rows, tweets = (total[name][0].as_py() for name in ("n", "tweets"))
    print(f"\n{rows:,} rows of {tweets:,} Tweets. Three questions in SQL:\n")
    for title, sql in QUESTIONS.items():
        grid.show(output.as_rows(catalog.query(lake, sql)), title=title)
    print(f"May one move to the other API? {agreement(lake).words}.\n")
    place = data if lake.storage.is_local else lake.root
    print(f"The lake is {place}: plain Parquet, and {place}/engagement.duckdb with views over it. What to try next:")
    print(f'  ENGAGEMENT_DATA={place} {sys.argv[0]} sql "select * from metrics"')
    print(f"  {sys.argv[0]} up    # the Dagster UI on the emulator: backfill, schedule, look around")
    print("In a clone, docs/cookbook.md has 25 questions with their SQL, and what this lake answers.")


def up(data: Path, *, port: int) -> None:
    """Run `dg dev` on an emulator that lives in real time until Ctrl-C ends both."""
    _refuse_taken(port)
    first_day = datetime.now(UTC).date() - timedelta(days=UP_DAYS)
    for number in (signal.SIGTERM, signal.SIGINT):  # a script's `&` makes this process and Dagster ignore them
        signal.signal(number, _interrupt)
    with world(data, now=None, first_day=first_day, settle_hours=0) as (emulator, environment):
        _write_roster(emulator, data / "tweets" / "roster.csv")
        _bring_up_to_date(settings.load(environment))
        dagster_home = data.absolute() / "dagster"
        dagster_home.mkdir(exist_ok=True)
        _set_up(dagster_home)
        environment |= {"DAGSTER_HOME": str(dagster_home)}
        log = data / "dagster.log"
        _limit_pool(environment, log=log)
        command = [*DG, "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)]
        with _running(command, environment, log=log) as process:
            address = f"http://127.0.0.1:{port}"
            print(f"the emulator answers at {emulator.url}; starting Dagster, its log is {log}", flush=True)
            while not _answers(address):
                if process.poll() is not None:
                    raise EngagementError(f"Dagster ended at once: its log, {log}, says why")
                time.sleep(GLANCE)
            try:
                print(f"open {address} in a browser; Ctrl-C here ends Dagster and the emulator", flush=True)
                process.wait()
            except KeyboardInterrupt:
                print("\nending Dagster and the emulator", flush=True)


@contextmanager
def world(
    data: Path, *, now: datetime | None, first_day: date, settle_hours: int
) -> Iterator[tuple[Emulator, dict[str, str]]]:
    """Run an emulator; yield it, and the environment with which every command finds it, `data` and the lake.

    Raises InputError if they hold accounts, a roster or a lake of somebody else.
    """
    home()  # or nothing is written
    lake, folder = _lake_of(data), data.absolute()
    emulated = (folder / "accounts.toml").exists() if lake.storage.is_local else lake.storage.noted(EMULATED)
    if lake.storage.exists(lake.root / LAKE_FILE) and not emulated:
        place, names = (data, "--data names the folder") if lake.storage.is_local else (lake.root, IN_BUCKET)
        raise InputError(f"{place} holds a lake that no emulator filled, so it is left as it is: {names}")
    roster = folder / "tweets" / "roster.csv"
    with Emulator(now=now, requests_per_minute=REQUESTS_PER_MINUTE, settle_hours=settle_hours) as emulator:
        try:
            emulator.world.refuse_foreign(roster)
            emulator.credentials.write_accounts(folder / "accounts.toml")
        except FileExistsError as error:
            raise InputError(f"{error}; --data names the folder") from None
        _claim(lake)
        chosen = {
            "CONFIG": os.devnull,  # ignore the files of a user
            "API_URL": emulator.url,
            "AUTH_URL": emulator.url,
            "X_API_URL": emulator.url,
            "DATA": str(lake.root),
            "ACCOUNTS": str(folder / "accounts.toml"),
            "TWEETS": str(folder / "tweets" / "*"),
            "FIRST_DAY": str(first_day),
            "REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
            "NOW": now.isoformat() if now else "",
        }
        outside = {name: value for name, value in os.environ.items() if not name.startswith(settings.PREFIX)}
        outside |= without_loopback(os.environ)  # Dagster's processes talk to each other
        yield emulator, outside | {settings.PREFIX + name: value for name, value in chosen.items()}


def _claim(lake: Lake) -> None:
    """Note in a lake in a bucket that an emulator fills it; a folder has the emulator's accounts."""
    if not lake.storage.is_local:
        lake.storage.note(EMULATED, b"engagement demo")


def _lake_of(data: Path) -> Lake:
    """Return the lake in a bucket that ENGAGEMENT_DATA names, or else that in a folder."""
    address = os.environ.get(f"{settings.PREFIX}DATA", "")
    try:
        return Lake(in_bucket(address) if is_address(address) else data.absolute())
    except ValueError as error:
        raise InputError(f"{settings.PREFIX}DATA = {address!r}: {error}") from None


def _bring_up_to_date(chosen: settings.Settings) -> None:
    """Upgrade the lake of an earlier `up` if an older program wrote it."""
    if Lake(chosen.data).open(older=True) != FORMAT:
        pipeline.upgrade(chosen)


def _write_roster(emulator: Emulator, path: Path) -> None:
    """Write the healthy Tweets of the emulator's world, all of them."""
    rows = (f"{tweet.tweet_id},{tweet.handle}\n" for tweet in emulator.world.tweets() if tweet.state == "ok")
    path.parent.mkdir(exist_ok=True)
    path.write_text("tweet_id,handle\n" + "".join(rows))


def _run_job(emulator: Emulator, prepared: Prepared, environment: dict[str, str], *, log: Path) -> None:
    """Execute the daily job over the prepared days, and show progress from the emulator and from Dagster's log."""
    window = prepared.plans[0].window
    assert window
    days = list(window.days())
    tags = {RANGE_START: str(days[0]), RANGE_END: str(days[-1])}
    command = [*EXECUTE, "--python-file", "assets/definitions.py", "--working-directory", ".", "--job", "daily"]
    materialized = re.compile(r" engagements - ASSET_MATERIALIZATION ")
    before = len(emulator.requests)
    with _running([*command, "--tags", json.dumps(tags)], environment, log=log) as process, progress.bars() as bar:
        answered, published = bar(REQUESTS), bar("days published")
        running = True
        while running:
            running = process.poll() is None
            done = len(emulator.requests) - before
            answered(done, max(prepared.requests, done))
            published(len(materialized.findall(log.read_text())), len(days))
            time.sleep(GLANCE * running)
    if process.returncode:
        raise EngagementError(f"the Dagster run failed: its log, {log}, says why")


def _set_up(dagster_home: Path) -> None:
    """Give Dagster the instance's settings that the README gives it."""
    shutil.copy(home() / "deploy" / "dagster.yaml", dagster_home)


def _limit_pool(environment: dict[str, str], *, log: Path) -> None:
    """Make the pool before Dagster's first look at its queue: one that it makes by default holds from the second on."""
    with _running([*DAGSTER, "instance", "concurrency", "set", API_POOL, "1"], environment, log=log) as process:
        if process.wait():
            raise EngagementError(f"Dagster cannot be set up: its log, {log}, says why")


@contextmanager
def _running(arguments: list[str], environment: dict[str, str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with these arguments where Dagster finds the code location, and end it with the block."""
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, *arguments], cwd=home(), env=environment, stdout=file, stderr=file)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            raise InputError(f"port must be 1 to 65535, got {port}") from None
        except OSError as error:
            raise InputError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from None


def _answers(address: str) -> bool:
    try:
        with DIRECT.open(address, timeout=1):
            return True
    except OSError:
        return False


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
