"""Runs on two workers that share a bucket, PostgreSQL and Redis, and no file: which of them runs what, and who dies."""

import asyncio
import json
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event

import dagster as dg
import pytest
import team as teams
from backfills import LAUNCH
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
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
def variables(api, world, in_bucket, store):
    """The variables of each machine."""
    follow(world)
    return {
        **world.environment,
        **store,
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
        dagster = "dagster", "instance", "concurrency", "set", "engagement_api", "1"
        center.run(*dagster)
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


def launch(team, window):
    """Launch a run of the daily job over a window."""
    tags = json.dumps(dict(zip(RANGE, map(str, window), strict=True)))
    daily = "--workspace", team.home / "workspace.yaml", "--job", "daily", "--tags", tags
    team["center"].run("dagster", "job", "launch", *daily)


def drain(instance, machine):
    """Have a worker take no further run."""
    instance.run_launcher.celery.control.cancel_consumer("dagster", destination=[f"celery@{machine}"])


def backfill(team):
    """Launch a backfill of all windows, as Dagster's page does."""
    days = [str(WINDOWS[0][0] + timedelta(days=n)) for n in range(112)]
    params = {"assetSelection": [{"path": ["responses"]}, {"path": ["engagements"]}], "partitionNames": days}
    asks = "-t", LAUNCH, "-v", json.dumps({"params": params})
    said = team["center"].run("dagster-graphql", "--workspace", team.home / "workspace.yaml", *asks)
    assert "LaunchBackfillSuccess" in said, said


def in_state(instance, *states):
    return instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus[state] for state in states]))


def started(team, instance, *, number=1):
    """Return the runs that are under way, once there are so many."""
    return team.until("runs start", lambda: (found := in_state(instance, "STARTED"))[number - 1 :] and found)


def succeeded(team, instance, number):
    """Return the runs that have succeeded, once there are so many."""
    return team.until("runs succeed", lambda: (found := in_state(instance, "SUCCESS"))[number - 1 :] and found)


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
    team["center"].run("dagster", "instance", "concurrency", "set", "engagement_api", "2")
    api.answers = 0
    launch(team, WINDOWS[-1])
    (first,) = started(team, instance)
    drain(instance, machine_of(instance, first)[0])
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
