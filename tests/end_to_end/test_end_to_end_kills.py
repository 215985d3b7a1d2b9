"""A process that is killed on its way, and another that goes on: no response is paid for twice."""

import os
import signal
import subprocess
import sys
import time

import forks
import pytest
from each_source import LONG
from truth import FIRST, LAST, TWO_TYPES, answered, api_of, assert_true, follow, run

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

PATIENCE_SECONDS = 60.0  # for another process; only a broken one uses it up
PULL = ("pull", "--from", str(FIRST), "--to", str(LAST))
# Runs the command, and dies instead of renaming a table's file for the n-th time.
DIE = """
import os, sys
from engagement_pipeline.cli.main import main
really, left = os.replace, int(sys.argv[2])

def replace(source, target):
    global left
    left -= str(target).endswith(sys.argv[1])
    if left == 0:
        os._exit(9)
    really(source, target)

os.replace = replace
sys.exit(main(sys.argv[3:]))
"""


def environment(world, source):
    return os.environ | world.environment | {"ENGAGEMENT_TYPES": " ".join(TWO_TYPES), "ENGAGEMENT_SOURCE": source}


def dies_publishing(world, source, file, place, *arguments):
    """Run a command that dies at the `place`-th rename to a file of that name."""
    ended = forks.run(DIE, file, str(place), *arguments, environment=environment(world, source))
    assert ended.code == 9, ended.said


def chosen(world, source):
    return world.settings(types=" ".join(TWO_TYPES), source=source)


def landed(lake):
    return list(lake.root.glob("raw/*/*/*/*.json.zst"))


def test_a_pull_that_was_killed_goes_on_without_asking_twice(world, each_source):
    """Each fourth request is held back, so the pull is killed when all others have landed, however fast it is."""
    followed = follow(world, (200, 100, 25))
    settings, api, lake = chosen(world, each_source), api_of(world, each_source), Lake(world.lake).of(each_source)
    prepared = prepare(settings, FIRST, LAST, endpoint=settings.hourly[0])
    api.faults.set(slow=4, slow_seconds=3600)
    expected = prepared.requests - prepared.requests // 4
    command = [sys.executable, "-m", "engagement_pipeline", *PULL]
    with subprocess.Popen(
        command, env=environment(world, each_source), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(landed(lake)) < expected and process.poll() is None and time.monotonic() < deadline:
            try:
                process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=PATIENCE_SECONDS) == -signal.SIGKILL, process.stderr.read()
    assert len(landed(lake)) == expected < prepared.requests
    assert not (lake.root / "engagements").exists()

    api.faults.reset()
    outcome = pipeline.run(settings, prepared)
    assert outcome.failure is None
    assert [report.answered for report in outcome.reports] == [prepared.requests - expected]
    assert [publication.requested for publication in outcome.publications] == [325]
    assert_true(world, followed["ok"], types=TWO_TYPES)
    assert answered(api) == followed["ok"]  # each exactly once


@LONG
@pytest.mark.parametrize(
    ("file", "place"),
    [
        pytest.param("engagements.parquet", 1, id="before the first rows"),
        pytest.param("engagements.parquet", 2, id="between two days"),
        pytest.param("coverage.parquet", 1, id="before the coverage"),
        pytest.param("coverage.parquet", 28, id="before the last coverage"),
        pytest.param("engagement.duckdb", 1, id="before the views"),
    ],
)
def test_a_pull_that_was_killed_while_it_was_published_asks_for_nothing_again(world, each_source, file, place):
    followed, settings, api = (
        follow(world, (30, 20, 10), states=("ok", "deleted")),
        chosen(world, each_source),
        api_of(world, each_source),
    )
    planned = prepare(settings, FIRST, LAST, endpoint=settings.hourly[0]).requests
    dies_publishing(world, each_source, file, place, *PULL)
    asked = len(api.requests)
    prepared, (report,), _ = run(settings)
    if file == "engagement.duckdb":  # the tables are whole, so this is the pull of another day
        assert report.answered == prepared.requests
    else:
        assert report.answered == 0
        assert len(api.requests) == asked == planned
        assert answered(api) == sorted(followed["ok"] + followed["deleted"])
    assert_true(world, followed["ok"], types=TWO_TYPES)
    assert not Lake(world.lake).of(each_source).staging.exists()
    again, (report,), _ = run(settings)
    assert report.answered == again.requests


@pytest.mark.parametrize("place", [1, 28])
def test_the_reason_of_a_refused_account_outlives_a_kill_while_it_is_published(world, each_source, place):
    """It is told by what landed, whether or not the account is let in meanwhile."""
    followed, settings, api = follow(world, (2, 2, 0)), chosen(world, each_source), api_of(world, each_source)
    api.faults.set(revoked_handles=["lumenaudio"])
    dies_publishing(world, each_source, "coverage.parquet", place, *PULL)
    pipeline.publish_landed(settings)
    sql = f"select outcome, count(*) as n from coverage where endpoint = '{settings.hourly[0]}' group by all order by 1"
    found = {row["outcome"]: row["n"] for row in catalog.query(Lake(world.lake), sql).to_pylist()}
    assert found["account refused"] == 2 * 28
    assert found["stored"] + found["before it was posted"] == 2 * 28
    api.faults.reset()
    run(settings)
    assert_true(world, followed["ok"], types=TWO_TYPES)


@pytest.mark.parametrize("file", ["totals.parquet", "coverage.parquet"])
def test_totals_that_were_killed_while_they_were_published_ask_for_nothing_again(world, file):
    followed = follow(world, (3, 2, 1))["ok"]
    dies_publishing(world, TOTALS.source, file, 1, "pull", "--endpoint", "totals")
    assert len(world.emulator.requests) == 3
    _, (report,), (publication,) = run(world.settings(types="impressions"), endpoint=TOTALS)
    assert (report.answered, len(world.emulator.requests)) == (0, 3)
    assert publication.stored == set(followed)
    assert catalog.query(Lake(world.lake), "select distinct tweet_id from totals").num_rows == 6
