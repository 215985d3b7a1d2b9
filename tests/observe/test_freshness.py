"""A lake is fresh if each day that the last daily run should have filled is complete."""

from datetime import UTC, datetime, time

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from bodies import WINDOW, at
from checked import healthy, refused, roster

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.core.tables import COVERAGE
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read, write
from engagement_pipeline.observe import freshness

FIRST, DAY = WINDOW.days()


@pytest.fixture
def lake(tmp_path):
    return healthy(tmp_path)


def of_lake(lake, **settings):
    now = datetime(2026, 1, 3, 6, 30, tzinfo=UTC)  # four hours after the daily run was due
    return freshness.fresh(lake, Settings(first_day=FIRST, **{"now": now, **settings}))


def test_a_lake_is_fresh_where_every_day_of_the_look_back_is_published(lake):
    roster(lake, {1: "ann"})
    verdict = of_lake(lake)
    assert (verdict.passed, verdict.words) == (
        True,
        "the 2 days to 2026-01-02 are complete",
    )


def test_a_lake_that_lacks_a_day_is_not_fresh_however_new_the_others_are(lake):
    roster(lake, {1: "ann"})
    lake.coverage(HISTORICAL, FIRST).unlink()
    assert of_lake(lake).words == (
        "Tweets of the roster are missing on 1 of the 2 days to 2026-01-02: 2026-01-01; the next daily run pulls them, "
        "unless their account fails: then engagement check says why"
    )
    assert of_lake(lake, lookback_days=1).passed


def test_a_lake_is_not_fresh_where_a_handle_is_served_no_more(lake):
    roster(lake, {1: "ann", 2: "ann", 3: "bob"})
    assert of_lake(lake).passed
    path, place = lake.coverage(HISTORICAL, DAY), COVERAGE.schema.names.index("first_pulled_at")
    coverage = read(lake, path, COVERAGE)
    write(coverage.filter(pc.not_equal(coverage["tweet_id"], 3)), path, COVERAGE)
    assert of_lake(lake).passed  # nothing of it had come when the daily run was due
    path = lake.coverage(HISTORICAL, FIRST)
    coverage = read(lake, path, COVERAGE)
    before = pa.array([datetime(2026, 1, 2, 3, tzinfo=UTC)] * len(coverage), COVERAGE.schema.field(place).type)
    write(coverage.set_column(place, COVERAGE.schema.field(place), before), path, COVERAGE)
    assert of_lake(lake).words.startswith(
        f"Tweets of the roster are missing on 1 of the 2 days to {DAY}: {DAY}; the next"
    )


def test_what_came_into_the_roster_since_the_daily_run_is_for_the_next(lake):
    roster(lake, {1: "ann", 7: "ann", 8: "bob"})
    assert of_lake(lake).passed


def test_a_lake_that_never_pulled_is_not_fresh(tmp_path):
    assert of_lake(Lake(tmp_path / "lake")).numbers == {"missing": 2}


def test_a_day_is_not_missed_before_the_daily_run_had_the_time_to_bring_it(lake):
    roster(lake, {1: "ann"})
    lake.coverage(HISTORICAL, DAY).unlink()
    assert not of_lake(lake).passed
    assert of_lake(lake, now=datetime(2026, 1, 3, 6, 29, tzinfo=UTC)).passed
    assert of_lake(lake, now=datetime(2026, 1, 3, 6, 30, tzinfo=UTC), daily_at=time(3, 0)).passed


def test_a_lake_of_which_nothing_but_refusals_came_is_not_fresh(tmp_path):
    lake = Lake(tmp_path / "lake")
    refused(lake, [1], at(1))
    roster(lake, {1: "ann"})
    assert of_lake(lake).numbers == {"missing": 2}
