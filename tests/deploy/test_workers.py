"""Runs on two workers that share a bucket, PostgreSQL and Redis, and no file: which of them runs what, and who dies."""

import asyncio
import json
import shlex
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from itertools import pairwise
from threading import Event

import boto3
import dagster as dg
import machine as machines
import page_commands
import pytest
import team as teams
from backfills import LAUNCH
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from faulty_store import way_to
from processes import CLONE
from truth import LAST

from assets import celery_launcher
from engagement_pipeline import pipeline
from engagement_pipeline.core.places import place
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.emulator import HANDLES, app
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

pytestmark = [
    pytest.mark.workers,
    pytest.mark.skipif(bool(teams.missing()), reason=teams.missing()),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
WORKERS = ("north", "south")
WINDOWS = [(LAST - timedelta(days=28 * n - 1), LAST - timedelta(days=28 * (n - 1))) for n in (4, 3, 2, 1)]
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
TYPES = "impressions engagements"
HARMS = {
    "its machine dies": lambda machine, _: machine.kill(),
    "its worker is stopped": lambda machine, _: machine.stop(),
    "its process is killed": lambda machine, number: machine.kill_process(number),
}
PAGE = (CLONE / "docs" / "celery.md").read_text(encoding="utf-8")
WORKSPACE = "deploy/container/workspace.yaml"  # of the page
READS = "cat /etc/engagement/* /var/lib/engagement/accounts.toml && touch /var/lib/engagement/tmp/x"
MONTHS = "rebuild_months"
RANGE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


class Api:
    """What the API was asked, in the order in which it came, and how many it `answers` until it is `open` again."""

    def __init__(self):
        self.asked, self.answers, self.open = [], 1_000_000, Event()

    def landed(self):
        """Return what was answered, as window and Tweets."""
        return [(each["first"], each["tweets"]) for each in self.asked if "ended" in each]

    def spans(self):
        """Return when each window was asked for, from its first request to its last answer, in the order of time."""
        of = defaultdict(list)
        for each in self.asked:
            of[each["first"]].append(each)
        return sorted((min(e["began"] for e in found), max(e["ended"] for e in found)) for found in of.values())

    def one_at_a_time(self):
        return all(ended <= began for (_, ended), (began, _) in pairwise(self.spans()))


@pytest.fixture
def api(monkeypatch):
    """What the emulated API is asked from then on."""
    api, really = Api(), app.Service.engagement

    async def engagement(self, request):
        body = json.loads(await request.body())
        entry = {"first": body["start"][:10], "tweets": tuple(body["tweet_ids"]), "began": time.monotonic()}
        api.asked.append(entry)
        if len(api.asked) > api.answers:
            await asyncio.to_thread(api.open.wait)
        response = await really(self, request)
        entry["ended"] = time.monotonic()
        return response

    monkeypatch.setattr(app.Service, "engagement", engagement)
    yield api
    api.open.set()


@pytest.fixture
def way(store):
    """The address under which each machine finds the store, and the Way there."""
    with way_to(store["AWS_ENDPOINT_URL"]) as found:
        yield found


@pytest.fixture
def variables(api, world, in_bucket, store, way):
    """The variables of each machine."""
    follow(world)
    return {
        **world.environment,
        **store,
        "AWS_ENDPOINT_URL": way[0],
        "ENGAGEMENT_DATA": str(in_bucket),
        "ENGAGEMENT_APP_LOCK": f"{in_bucket}/turns",
        "ENGAGEMENT_ACCOUNTS": "{home}/accounts.toml",
        "ENGAGEMENT_TWEETS": "{home}/tweets/*",
        "ENGAGEMENT_FIRST_DAY": str(WINDOWS[0][0]),
        "ENGAGEMENT_TYPES": TYPES,
        "ENGAGEMENT_TIMEOUT_SECONDS": "600",  # the API may be told to wait
    }


@pytest.fixture
def team(variables, world, monkeypatch, capsys):
    """A machine with the daemon and the code location, and two workers; `told` shows a line, though the test passes."""

    def told(line):
        with capsys.disabled():
            sys.stdout.write(f"{line}\n")

    files = {"accounts.toml": world.accounts, "tweets/roster.csv": world.roster}
    with teams.team(("center", *WORKERS), files, variables) as team:
        team.told = told
        for name in ("REDIS_URL", *team.cluster.environment):
            monkeypatch.setenv(name, team.environment[name])
        center = team["center"]
        workspace = f"load_from: [{{grpc_server: {{socket: {team.home}/code, location_name: engagement}}}}]\n"
        (center.folder / "workspace.yaml").write_text(workspace)
        center.run(*on_page("dagster instance"))
        code = "--socket", team.home / "code", "--location-name", "engagement"
        center.start(
            "dagster", "api", "grpc", *code, "--python-file", "assets/definitions.py", "--working-directory", "."
        )
        for name in WORKERS:
            team[name].start("deploy/celery/worker")
        team.until("the code location starts", (center.folder / "code").exists)
        center.start("dagster-daemon", "run", "--workspace", team.home / "workspace.yaml")
        yield team


@pytest.fixture
def instance(team):
    """Dagster's instance, as the machine with the daemon has it."""
    with dg.DagsterInstance.from_config(str(team["center"].folder / "dagster")) as instance:
        workers = instance.run_launcher.celery.control
        team.until("the workers start", lambda: len(workers.ping(timeout=2)) == len(WORKERS))
        yield instance


def follow(world):
    """Follow some Tweets that lived through all windows, and some that were posted in each."""
    tweets = [tweet for tweet in world.emulator.world.tweets() if tweet.state == "ok" and tweet.created > SINCE]
    of = {handle.name: [tweet.tweet_id for tweet in tweets if tweet.handle == handle.name] for handle in HANDLES}
    world.follow({name: [*ids[:10], *ids[10::5]] for name, ids in of.items()})


def on_page(begins, here=None):
    """Return the one command of docs/celery.md that begins so, within its container; `here` puts words for others."""
    told = (words[4:] if words[:3] == ["dc", "run", "--rm"] else words for words in page_commands.of(PAGE))
    (found,) = [words for words in told if " ".join(words).startswith(begins)]
    return [(here or {}).get(word, word) for word in found]


def launch(team, window):
    """Launch a run of the daily job over a window."""
    tags = json.dumps(dict(zip(RANGE, map(str, window), strict=True)))
    daily = "--workspace", team.home / "workspace.yaml", "--job", "daily", "--tags", tags
    team["center"].run("dagster", "job", "launch", *daily)


def drain(instance, machine):
    """Have a worker take no further run."""
    instance.run_launcher.celery.control.cancel_consumer("dagster", destination=[f"celery@{machine}"])


def take_two(instance):
    """Have each worker take two runs at a time."""
    instance.run_launcher.celery.control.pool_shrink(2, reply=True)


def backfill(team):
    """Launch a backfill of all windows, as Dagster's page does."""
    days = [str(WINDOWS[0][0] + timedelta(days=n)) for n in range(112)]
    params = {"assetSelection": [{"path": ["responses"]}, {"path": ["engagements"]}], "partitionNames": days}
    asks = "-t", LAUNCH, "-v", json.dumps({"params": params})
    said = team["center"].run("dagster-graphql", "--workspace", team.home / "workspace.yaml", *asks)
    assert "LaunchBackfillSuccess" in said, said


def in_state(instance, state, *, job=None):
    """Return the runs in a state, of a job or of all."""
    return instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus[state]], job_name=job))


def started(team, instance, *, number=1, job=None):
    """Return the runs that are under way, once there are so many."""
    return team.until("runs start", lambda: (found := in_state(instance, "STARTED", job=job))[number - 1 :] and found)


def succeeded(team, instance, number, *, job=None):
    """Return the runs that have succeeded, once there are so many."""
    return team.until("runs succeed", lambda: (found := in_state(instance, "SUCCESS", job=job))[number - 1 :] and found)


def machine_of(instance, run):
    """Return the machine that has a run, or had it, and the number of its process there while it goes on."""
    tags = instance.get_run_by_id(run.run_id).tags
    found = instance.run_launcher.celery.AsyncResult(tags[DAGSTER_CELERY_TASK_ID_TAG])
    told = found.info if isinstance(found.info, dict) else {}
    return (found.worker or told["hostname"]).partition("@")[2], told.get("pid")


def says(instance, run, words):
    """Tell whether a run's log has some words."""
    told = instance.all_logs(run.run_id)
    return any(words in f"{each.user_message}{each.dagster_event and each.dagster_event.message}" for each in told)


def rows(data, *, names=("engagements", "daily", "coverage", "tweets", "revisions", "set_aside")):
    """Return the rows of tables, without the moments at which somebody pulled, and the files named after them."""
    lake = Lake(data)
    found = {}
    for name in names:
        columns = [column.name for column in TABLES[name].columns]
        moments = [each for each in columns if each.endswith("_at") or (name, each) == ("coverage", "source")]
        without = f"exclude ({', '.join(moments)})" if moments else ""
        found[name] = catalog.query(lake, f"select * {without} from {name} order by all").to_pylist()
    return found


@pytest.fixture
def on_one_machine(world):
    """Return a function that gives the rows that one machine makes of some windows on its disk."""

    def made(windows):
        chosen = world.settings(types=TYPES, first_day=str(WINDOWS[0][0]))
        for first, last in windows:
            assert pipeline.run(chosen, prepare(chosen, first, last)).failure is None
        return rows(chosen.data)

    return made


def test_a_backfill_runs_on_both_workers_one_at_a_time_and_gives_what_one_machine_gives(
    team, instance, api, on_one_machine
):
    began = time.monotonic()
    backfill(team)
    (first, *_) = started(team, instance)
    drain(instance, machine_of(instance, first)[0])
    runs = succeeded(team, instance, 4)
    team.told(f"a backfill of 112 days on two workers: {time.monotonic() - began:.0f} s")
    assert sorted(tuple(run.tags[end] for end in RANGE) for run in runs) == [tuple(map(str, each)) for each in WINDOWS]
    assert {machine_of(instance, run)[0] for run in runs} == set(WORKERS)
    assert len(api.spans()) == 4
    assert api.one_at_a_time()
    assert rows(place(team.environment["ENGAGEMENT_DATA"])) == on_one_machine(WINDOWS)
    homes = [team[name].folder / "dagster" for name in WORKERS]
    assert {path.name for home in homes for path in home.iterdir()} == {"dagster.yaml"}  # so it may be read-only


def test_months_are_made_anew_on_both_workers_and_by_the_other_where_one_dies(team, instance, way, world):
    to_center = "--workspace", team.home / "workspace.yaml"
    team["center"].run("dagster", "sensor", "stop", "unshown_days", *to_center)  # its run would wait for raw too
    lake = Lake(place(team.environment["ENGAGEMENT_DATA"]))
    chosen = world.settings(data=str(lake.root), types=TYPES, first_day=str(WINDOWS[0][0]))
    for window in WINDOWS:
        assert pipeline.run(chosen, prepare(chosen, *window)).failure is None
    before = files(lake.root)
    for path in (path for path in before if path.startswith(("engagements/", "daily/"))):
        lake.storage.remove(lake.root / path)
    take_two(instance)
    may_read = Event()
    way[1].fault = lambda _number, method, path: method == "GET" and path.endswith(".zst") and not may_read.wait()
    shell, option, script = on_page("sh -c")
    team["center"].run(shell, option, script.replace(WORKSPACE, str(to_center[1])))
    runs = started(team, instance, number=4, job=MONTHS)
    of = {name: {run.run_id for run in runs if machine_of(instance, run)[0] == name} for name in WORKERS}
    assert {name: len(found) for name, found in of.items()} == dict.fromkeys(WORKERS, 2)
    places = "rebuild", "rebuild-1", "rebuild-2", "rebuild-3"
    team.until("all read raw", lambda: all(map(lake.storage.busy, places)) and not lake.storage.busy("lake"))
    team["north"].kill()
    may_read.set()
    done = succeeded(team, instance, 4, job=MONTHS)
    lost = [run for run in in_state(instance, "FAILURE", job=MONTHS) if says(instance, run, celery_launcher.LOST)]
    assert {run.run_id for run in lost} == of["north"]
    assert {run.tags["dagster/partition"] for run in done} == {"2025-10", "2025-11", "2025-12", "2026-01"}
    after = files(lake.root)
    assert [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)] == []


@pytest.mark.parametrize("harm", HARMS)
def test_a_run_goes_on_by_itself_and_nothing_is_asked_or_counted_twice(team, instance, api, on_one_machine, harm):
    api.answers = 3
    launch(team, WINDOWS[-1])
    (run,) = started(team, instance)
    lake = Lake(place(team.environment["ENGAGEMENT_DATA"]))
    team.until("responses land", lambda: len(lake.storage.find("raw/*/*/*/*.zst")) == api.answers)
    machine, number, landed = *machine_of(instance, run), api.landed()
    began, asked = time.monotonic(), len(api.asked)
    HARMS[harm](team[machine], number)
    api.answers = 1_000_000
    api.open.set()
    team.until("the run fails", lambda: in_state(instance, "FAILURE"))
    figures = f"{harm}: it was over after {time.monotonic() - began:.0f} s"
    again_of = dg.RunsFilter(tags={"dagster/parent_run_id": run.run_id})
    (again,) = team.until("it is tried again", lambda: instance.get_runs(again_of))
    team.until("it goes on", lambda: says(instance, again, "going on with the pull of /historical"))
    team.told(f"{figures}, and went on after {time.monotonic() - began:.0f} s")
    assert [each.run_id for each in succeeded(team, instance, 1)] == [again.run_id]
    assert harm == "its process is killed" or machine_of(instance, again)[0] != machine
    assert says(instance, run, celery_launcher.LOST) == (harm == "its machine dies")
    assert not {*landed} & {(each["first"], each["tweets"]) for each in api.asked[asked:]}
    assert rows(lake.root) == on_one_machine(WINDOWS[-1:])


def test_without_the_pool_the_turn_in_the_store_alone_keeps_two_workers_apart(team, instance, api):
    team["center"].run(*on_page("dagster instance", {"1": "2"}))
    api.answers = 0
    launch(team, WINDOWS[-1])
    (first,) = started(team, instance)
    team["center"].run(
        *on_page(
            "celery --app assets.celery_worker control", {"celery@north": f"celery@{machine_of(instance, first)[0]}"}
        )
    )
    team.until("the first asks", lambda: api.asked)
    launch(team, WINDOWS[-2])
    (second,) = (run for run in started(team, instance, number=2) if run.run_id != first.run_id)
    waits = f"waiting for the pull of /historical {WINDOWS[-1][0]} to {WINDOWS[-1][1]} (process "
    team.until("the second waits", lambda: says(instance, second, waits))
    machines = [machine_of(instance, run)[0] for run in (first, second)]
    assert says(instance, second, f" on {machines[0]}, since ")
    assert machines[0] != machines[1]
    assert {each["first"] for each in api.asked} == {str(WINDOWS[-1][0])}
    api.open.set()
    succeeded(team, instance, 2)
    assert len(api.spans()) == 2
    assert api.one_at_a_time()


def files(data):
    """Return the bytes of each Parquet file of a table in a bucket, by its path in the lake."""
    bucket = boto3.resource("s3").Bucket(data.bucket)
    found = {item.key.removeprefix(f"{data.key}/"): item for item in bucket.objects.filter(Prefix=f"{data.key}/")}
    of_tables = [table.glob for table in TABLES.values() if table.glob.endswith(".parquet")]
    chosen = [path for path in found if any(fnmatch(path, pattern) for pattern in of_tables)]
    return {path: found[path].get()["Body"].read() for path in chosen}


@pytest.mark.skipif(bool(machines.missing()), reason=machines.missing())
def test_the_commands_of_the_page_lay_out_what_a_machine_needs_and_a_worker_without_containers_finds_it():
    shown = page_commands.lines(PAGE)
    laying = [line for line in shown if line.startswith(("cp ", "openssl ", "install "))]
    setting = [line for line in shown if line.startswith(("set -a", "export P", "export E"))]
    with machines.booted() as machine:
        machine.run(f"cp -r {CLONE}/deploy {CLONE}/engagement.toml . && touch aws accounts.toml tweets.csv")
        machine.run(" && ".join(laying))
        said = machine.run("find /etc/engagement /var/lib/engagement -type f -printf '%f %m %U %G\\n' | sort")
        machine.run(f"setpriv --reuid=10001 --regid=10001 --clear-groups sh -c {shlex.quote(READS)}")
        found = machine.run(" && ".join([*setting, "printenv PGHOST REDIS_URL ENGAGEMENT_DATA DAGSTER_HOME"]))
        password = machine.run("cat /etc/engagement/broker_password").strip()
    assert dict(line.split(" ", 1) for line in said.splitlines()) == {
        "accounts.toml": "600 10001 10001",
        "aws": "640 0 10001",
        "broker_password": "440 10001 999",
        "celery.env": "640 0 10001",
        "database_password": "440 10001 999",
        "engagement.toml": "640 0 10001",
        "tweets.csv": "640 10001 10001",
    }
    queue = f"redis://:{password}@10.0.0.1:6379/0"
    assert found.split() == ["10.0.0.1", queue, "s3://bucket/prefix", "/opt/engagement/deploy/celery"]
