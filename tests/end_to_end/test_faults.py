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

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

FIRST, LAST = "2026-01-30", "2026-01-31"
PULL = ("pull", "--from", FIRST, "--to", LAST)
# By name: the command, and what mends what a fault of it has left.
RUNS = {
    "pull": (PULL, [PULL]),
    "publication": (("publish",), [("publish",)]),
    "rebuild": (("rebuild",), [("rebuild",)]),
    "prune": (("prune",), [("prune",), ("rebuild",)]),
}
STRIDE = int(os.environ.get("FAULTS_STRIDE", "1"))  # calls from one that fails to the next

pytestmark = pytest.mark.faults


def tables(lake):
    """Return the rows of every file of the tables but for when they were asked for, which each pull has its own of."""
    found = {}
    for path in lake.rglob("[!.]*.parquet"):
        if not {".aside", ".rebuild"} & {*path.relative_to(lake).parts}:
            rows = pq.read_table(path, partitioning=None).to_pylist()
            told = [{k: v for k, v in row.items() if not k.endswith("_at") and k != "source"} for row in rows]
            found[str(path.relative_to(lake))] = sorted(map(repr, told))
    return found


def by_catalog(lake):
    """Return the number of rows as the catalogue has it, and as the files have it."""
    with duckdb.connect(str(lake / "engagement.duckdb"), read_only=True) as connection:
        ((seen,),) = connection.sql("select count(*) from engagements").fetchall()
    return seen, sum(pq.read_metadata(path).num_rows for path in lake.glob("engagements/day=*/engagements.parquet"))


@pytest.fixture
def server(world, tmp_path):
    server = Server(os.environ | world.environment | {"ENGAGEMENT_TYPES": "impressions url_clicks"}, tmp_path)
    yield server
    server.close()


@pytest.fixture
def template(world, request):
    """A lake in which the command of a run has something to do."""
    chosen = world.settings(types="impressions url_clicks")
    lake, first, last = Lake(world.lake), *map(chosen.first_day.fromisoformat, (FIRST, LAST))
    if request.getfixturevalue("run") != "publication":
        pipeline.run(chosen, prepare(chosen, first, first))
    if request.getfixturevalue("run") != "pull":
        pulling.pull(chosen, prepare(chosen, first, last))
    if request.getfixturevalue("run") in {"rebuild", "prune"}:
        publish_pulls(lake)
    if request.getfixturevalue("run") == "rebuild":
        lake.rows(HISTORICAL.table, last).unlink()
    return world.root


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("run", RUNS)
def test_no_fault_leaves_a_wrong_table(server, template, run, call, fault):
    if fault == "full" and call not in {"write", "mkdir", "fsync"}:
        pytest.skip("a full disk does not refuse that")
    command, mending = RUNS[run]
    truth = None
    ends = {}
    for place in itertools.chain([0], itertools.count(1, STRIDE)):  # the first without a fault
        copy = shutil.copytree(template, template.with_name(f"{template.name} copy"))
        environment = {"ENGAGEMENT_DATA": str(copy / "lake"), "ENGAGEMENT_ACCOUNTS": str(copy / "accounts.toml")}
        ended = server.run(command, environment, call=call, fault=fault, place=place)
        if not place:
            truth = tables(copy / "lake")
        where = f"{fault} at {call} {place}: {ended.said}"
        if ended.code == 0:
            assert tables(copy / "lake") == truth, where
        for each in mending:
            mended = server.run(each, environment)
            assert mended.code == 0, f"{where}\nthen: {mended.said}"
        assert tables(copy / "lake") == truth, where
        if run in {"pull", "publication", "rebuild"}:
            seen, there = by_catalog(copy / "lake")
            assert seen == there, where
        shutil.rmtree(copy)
        if place and not ended.hit:
            break
        ends[ended.code] = ends.get(ended.code, 0) + bool(place)
    sys.stdout.write(f"{run}: {sum(ends.values())} times {call} {fault}, by exit code: {ends}\n")
    assert MISTAKE not in ends
