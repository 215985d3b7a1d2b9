"""A process that is killed on its way, and another that goes on: no response is paid for twice."""

import os
import signal
import subprocess
import sys
import time

import forks
import pytest
from truth import FIRST, LAST, TWO_TYPES, assert_true, follow, run

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


def environment(world):
    return os.environ | world.environment | {"ENGAGEMENT_TYPES": " ".join(TWO_TYPES)}


def dies_publishing(world, file, place, *arguments):
    """Run a command that dies at the `place`-th rename to a file of that name."""
    ended = forks.run(DIE, file, str(place), *arguments, environment=environment(world))
    assert ended.code == 9, ended.said


def landed(world):
    return list(world.lake.glob("raw/historical/*/*/*.json.zst"))


def answered(world):
    return sorted(tweet for request in world.emulator.requests if request.status == 200 for tweet in request.tweet_ids)


def test_a_pull_that_was_killed_goes_on_without_asking_twice(world):
    """Each fourth request is held back, so the pull is killed when all others have landed, however fast it is."""
    followed = follow(world, (200, 100, 25))
    settings = world.settings(types=" ".join(TWO_TYPES))
    prepared = prepare(settings, FIRST, LAST)
    world.emulator.faults.set(slow=4, slow_seconds=3600)
    expected = prepared.requests - prepared.requests // 4
    command = [sys.executable, "-m", "engagement_pipeline", *PULL]
    with subprocess.Popen(
        command, env=environment(world), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(landed(world)) < expected and process.poll() is None and time.monotonic() < deadline:
            try:
                process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=PATIENCE_SECONDS) == -signal.SIGKILL, process.stderr.read()
    assert len(landed(world)) == expected < prepared.requests
    assert not (world.lake / "engagements").exists()

    world.emulator.faults.reset()
    outcome = pipeline.run(settings, prepared)
    assert outcome.failure is None
    assert [report.answered for report in outcome.reports] == [prepared.requests - expected]
    assert [publication.requested for publication in outcome.publications] == [325]
    assert_true(world, followed["ok"], types=TWO_TYPES)
    assert answered(world) == followed["ok"]  # each exactly once


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
def test_a_pull_that_was_killed_while_it_was_published_asks_for_nothing_again(world, file, place):
    followed = follow(world, (30, 20, 10), states=("ok", "deleted"))
    dies_publishing(world, file, place, *PULL)
    asked = len(world.emulator.requests)
    prepared, (report,), _ = run(world.settings(types=" ".join(TWO_TYPES)))
    if file == "engagement.duckdb":  # the tables are whole, so this is the pull of another day
        assert report.answered == prepared.requests
    else:
        assert report.answered == 0
        assert len(world.emulator.requests) == asked == 4
        assert answered(world) == sorted(followed["ok"] + followed["deleted"])
    assert_true(world, followed["ok"], types=TWO_TYPES)
    assert not (world.lake / ".aside").exists()
    again, (report,), _ = run(world.settings(types=" ".join(TWO_TYPES)))
    assert report.answered == again.requests


@pytest.mark.parametrize("place", [1, 28])
def test_the_reason_of_a_refused_account_outlives_a_kill_while_it_is_published(world, place):
    """It is told by what landed, whether or not the account is let in meanwhile."""
    followed = follow(world, (2, 2, 0))
    world.emulator.faults.set(revoked_handles=["lumenaudio"])
    dies_publishing(world, "coverage.parquet", place, *PULL)
    pipeline.publish_landed(world.settings())
    sql = "select outcome, count(*) as n from coverage where endpoint = 'historical' group by outcome order by outcome"
    found = {row["outcome"]: row["n"] for row in catalog.query(Lake(world.lake), sql).to_pylist()}
    assert found["account refused"] == 2 * 28
    assert found["stored"] + found["before it was posted"] == 2 * 28
    world.emulator.faults.reset()
    run(world.settings(types=" ".join(TWO_TYPES)))
    assert_true(world, followed["ok"], types=TWO_TYPES)


@pytest.mark.parametrize("file", ["totals.parquet", "coverage.parquet"])
def test_totals_that_were_killed_while_they_were_published_ask_for_nothing_again(world, file):
    followed = follow(world, (3, 2, 1))["ok"]
    dies_publishing(world, file, 1, "pull", "--endpoint", "totals")
    assert len(world.emulator.requests) == 3
    _, (report,), (publication,) = run(world.settings(types="impressions"), endpoint=TOTALS)
    assert (report.answered, len(world.emulator.requests)) == (0, 3)
    assert publication.stored == set(followed)
    assert catalog.query(Lake(world.lake), "select distinct tweet_id from totals").num_rows == 6
