"""The audit of X API v2: its own sums of a window, asked for beside the hours, and compared with them."""

import os
from datetime import timedelta

import forks
import pytest
from kills import DIE_AT_FILE

from engagement_pipeline import forgetting, pipeline
from engagement_pipeline.core.endpoints import ANALYTICS, ANALYTICS_TOTALS
from engagement_pipeline.core.tables import WINDOW_TOTALS
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read

TYPES = "impressions,favorites"
BOTH = [ANALYTICS, ANALYTICS_TOTALS]


@pytest.fixture
def chosen(world):
    """X API v2 alone, audited at the first pull of a window; two Tweets and one that is gone."""
    world.follow({"harborbooks": [*world.tweets("harborbooks", 2), *world.tweets("harborbooks", 1, state="deleted")]})
    return world.settings(source="x_api_v2", types=TYPES, x_audit="first")


def prepared(chosen, *, days=2):
    last = chosen.last_whole_day()
    return prepare(chosen, last - timedelta(days=days - 1), last, endpoint=ANALYTICS)


def pulled(chosen):
    outcome = pipeline.run_source(chosen, prepared(chosen))
    assert outcome.failure is None
    return outcome


def asked(chosen):
    return [planned.endpoint for planned in prepared(chosen).plans]


def sums(chosen):
    lake = Lake(chosen.data).of("x_api_v2")
    rows = read(lake, lake.rows(WINDOW_TOTALS, chosen.last_whole_day()), WINDOW_TOTALS).to_pylist()
    return {(row["tweet_id"], row["engagement_type"]): row["count"] for row in rows}


def test_the_first_pull_of_a_window_is_audited_and_a_repeat_is_not(chosen, world):
    assert asked(chosen) == BOTH
    assert [len(each.stored) for each in pulled(chosen).publications] == [2, 2]
    assert asked(chosen) == [ANALYTICS]
    assert [planned.endpoint for planned in prepared(chosen, days=1).plans] == BOTH
    assert asked(world.settings(source="x_api_v2", types=TYPES, x_audit="always")) == BOTH
    assert asked(world.settings(source="x_api_v2", types=TYPES, x_audit="off", data=f"{chosen.data}.new")) == [
        ANALYTICS
    ]


def test_the_pulls_before_are_listed_once_for_all_windows(chosen, world, monkeypatch):
    listed, all_pulls = [], raw.all_pulls
    monkeypatch.setattr(raw, "all_pulls", lambda *asked: listed.append(asked) or all_pulls(*asked))
    short = world.settings(source="x_api_v2", types=TYPES, x_audit="first", x_window_days=1)
    assert len(prepared(short, days=3).plans) == 3 * len(BOTH)
    assert len(listed) == 1


@pytest.mark.parametrize("form", ["flat", "series", "both"])
def test_the_sums_are_stored_by_the_last_day_of_their_window(chosen, world, form):
    world.emulator.v2.faults.set(total_form=form)
    pulled(chosen)
    assert len(sums(chosen)) == 4
    assert pipeline.examine(chosen, quick=False).findings == ()


def test_the_sums_are_made_anew_from_raw(chosen):
    pulled(chosen)
    before, lake, day = sums(chosen), Lake(chosen.data).of("x_api_v2"), chosen.last_whole_day()
    lake.rows(WINDOW_TOTALS, day).unlink()
    (finding,) = pipeline.examine(chosen, quick=False).findings
    assert finding.fix == f"engagement rebuild --table window_totals --from {day} --to {day}"
    pipeline.rebuild(chosen, "window_totals")
    assert sums(chosen) == before
    assert pipeline.examine(chosen, quick=False).findings == ()


def test_a_pull_that_was_killed_while_its_sums_were_published_asks_for_nothing_again(chosen, world):
    first, last = (str(day) for day in (chosen.last_whole_day() - timedelta(days=1), chosen.last_whole_day()))
    environment = os.environ | world.environment | {"ENGAGEMENT_TYPES": TYPES, "ENGAGEMENT_X_AUDIT": "first"}
    command = ("pull", "--source", "x_api_v2", "--from", first, "--to", last)
    assert forks.run(DIE_AT_FILE, "window_totals.parquet", *command, environment=environment).code == 9
    number = len(world.emulator.v2.requests)
    pipeline.publish_landed(chosen)
    assert len(sums(chosen)) == 4
    assert len(world.emulator.v2.requests) == number
    assert pipeline.examine(chosen, quick=False).findings == ()


def test_the_sums_of_a_forgotten_tweet_are_gone_for_good(chosen):
    pulled(chosen)
    gone, stays = sorted({tweet for tweet, _ in sums(chosen)})
    proof = forgetting.forget(chosen, [gone])
    assert (proof.searched.holding, proof.receipt.unread) == ((), ())
    pipeline.rebuild(chosen)
    assert {tweet for tweet, _ in sums(chosen)} == {stays}
