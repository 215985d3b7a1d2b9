"""Whatever call of a command fails, or kills it: what it says it did is right, and the next run ends with the truth.

Each test goes through the calls of one kind: the first fails, then the second, until a command has no more of them.
"""

import itertools
import os
import shutil
import sys

import duckdb
import pyarrow.parquet as pq
import pytest
from faulty import CALLS, FAULTS, MISTAKE, Server
from truth import NOW

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core.posts import Post
from engagement_pipeline.emulator import HANDLES
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.extract.roster_synced import ARCHIVE, known, merge
from engagement_pipeline.lake.forgotten import Forgotten
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

HANDLE = HANDLES[0].name
SYNC = ("roster", "sync", HANDLE, "--yes")
FIRST, LAST = "2026-01-30", "2026-01-31"
PULL = ("pull", "--from", FIRST, "--to", LAST)
# By name: the command, and what mends what a fault of it has left.
RUNS = {
    "pull": (PULL, [PULL]),
    "publication": (("publish",), [("publish",)]),
    "rebuild": (("rebuild",), [("rebuild",)]),
    "prune": (("prune",), [("prune",), ("rebuild",)]),
}
ROWS = "/engagements.parquet"
STRIDE = int(os.environ.get("FAULTS_STRIDE", "1"))  # calls from one that fails to the next

pytestmark = pytest.mark.faults


def told(rows):
    """Return rows but for when they were asked for, which each pull has its own of."""
    return sorted(repr({k: v for k, v in row.items() if not k.endswith("_at") and k != "source"}) for row in rows)


def tables(lake):
    """Return the rows of every file of the tables; those of marts may lack, since a query then makes the rows.

    What is hidden is no table: it is written aside, or stands in for a table without rows.
    """
    found = {}
    for path in lake.rglob("[!.]*.parquet"):
        if not any(part.startswith(".") or part == "marts" for part in path.relative_to(lake).parts):
            rows = pq.read_table(path, partitioning=None).to_pylist()
            found[str(path.relative_to(lake))] = told(rows)
    return found


def by_catalog(lake):
    """Return the rows of two views: the number of one, and all of a mart that is kept in files."""
    with duckdb.connect(str(lake / "engagement.duckdb"), read_only=True) as connection:
        ((number,),) = connection.sql("select count(*) from engagements").fetchall()
        return number, told(connection.sql("from daily_wide").arrow().read_all().to_pylist())


@pytest.fixture
def settings(each_source):
    return {"types": "impressions url_clicks", "source": each_source}


@pytest.fixture
def server(world, settings, tmp_path):
    variables = {f"ENGAGEMENT_{name.upper()}": value for name, value in settings.items()}
    server = Server(os.environ | world.environment | variables, tmp_path)
    yield server
    server.close()


@pytest.fixture
def template(world, settings, run):
    """A lake in which the command of a run has something to do."""
    chosen = world.settings(**settings)
    (endpoint,) = chosen.hourly
    lake, first, last = Lake(world.lake).of(endpoint.source), *map(chosen.first_day.fromisoformat, (FIRST, LAST))
    if run != "publication":
        pipeline.run(chosen, prepare(chosen, first, first, endpoint=endpoint))
    if run != "pull":
        pulling.pull(chosen, prepare(chosen, first, last, endpoint=endpoint))
    if run in {"rebuild", "prune"}:
        publish_pulls(lake)
    if run == "rebuild":
        lake.rows(endpoint.table, last).unlink()
    return world.root


CASES = [(call, fault) for call in CALLS for fault in FAULTS if fault != "full" or call in {"write", "mkdir", "fsync"}]


@pytest.mark.parametrize(("call", "fault"), CASES)
@pytest.mark.parametrize("run", RUNS)
def test_no_fault_leaves_a_wrong_table(server, template, run, call, fault):
    command, mending = RUNS[run]
    truth = views = None
    ends = {}
    for place in itertools.chain([0], itertools.count(1, STRIDE)):  # the first without a fault
        copy = shutil.copytree(template, template.with_name(f"{template.name} copy"))
        environment = {"ENGAGEMENT_DATA": str(copy / "lake"), "ENGAGEMENT_ACCOUNTS": str(copy / "accounts.toml")}
        ended = server.run(command, environment, call=call, fault=fault, place=place)
        if not place:
            truth = tables(copy / "lake")
        where = f"{fault} at {call} {place}: {ended.said}"
        assert ended.code != MISTAKE, where
        if ended.code == 0:
            assert tables(copy / "lake") == truth, where
        for each in mending:
            mended = server.run(each, environment)
            assert mended.code == 0, f"{where}\nthen: {mended.said}"
        assert tables(copy / "lake") == truth, where
        if run in {"pull", "publication", "rebuild"}:
            seen = by_catalog(copy / "lake")
            views = views or seen
            assert seen == views, where
        shutil.rmtree(copy)
        if place and not ended.hit:
            break
        ends[ended.code] = ends.get(ended.code, 0) + bool(place)
    assert views is None or views[0] == sum(len(rows) for name, rows in truth.items() if name.endswith(ROWS))
    sys.stdout.write(f"{run}: {sum(ends.values())} times {call} {fault}, by exit code: {ends}\n")


@pytest.fixture
def roster(world):
    """A folder in which a handle's file has the older half of what its timeline shows."""
    world.emulator.v2.faults.set(timeline_reach=20)
    world.roster.unlink()
    tweets = [each for each in world.emulator.world.tweets() if each.handle == HANDLE and each.created < NOW]
    older = [Post(tweet_id=tweet.tweet_id, text="as it was") for tweet in tweets[-20:-10]]
    merge(str(world.roster.parent), HANDLE, older, found_in=ARCHIVE, gone=Forgotten(key=b""))
    return world.roster.parent


def texts(folder):
    return {tweet_id: row["text"] for tweet_id, row in known(str(folder), HANDLE).items()}


@pytest.mark.parametrize(("call", "fault"), CASES)
def test_no_fault_of_a_sync_loses_a_tweet_of_the_roster(world, roster, tmp_path, call, fault):
    server = Server(os.environ | world.environment, tmp_path)
    before, truth = texts(roster), None
    for place in itertools.chain([0], itertools.count(1, STRIDE)):
        copy = shutil.copytree(roster, roster.with_name("copy"))
        environment = {"ENGAGEMENT_DATA": f"{copy} lake", "ENGAGEMENT_TWEETS": str(copy)}
        ended = server.run(SYNC, environment, call=call, fault=fault, place=place)
        where = f"{fault} at {call} {place}: {ended.said}"
        assert ended.code != MISTAKE, where
        truth = truth or texts(copy)
        assert texts(copy) == truth or (ended.code and texts(copy).items() >= before.items()), where
        mended = server.run(SYNC, environment)
        assert (mended.code, texts(copy)) == (0, truth), f"{where}\nthen: {mended.said}"
        shutil.rmtree(copy)
        shutil.rmtree(f"{copy} lake")
        if place and not ended.hit:
            break
    assert truth.keys() > before.keys()
    server.close()
