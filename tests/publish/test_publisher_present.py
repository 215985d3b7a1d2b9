"""Publishing what has no days: /totals as observed on a day, /28hr as the last 28 hours; a later answer wins whole."""

from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest
from bodies import at, full, observed, parts, totals
from tables import coverage, parquet_files, rebuilt

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

TODAY = at(0).date()
OF_RECENT = "engagement rebuild --table recent makes it anew from raw"
TODAY_ONLY = Window(TODAY, TODAY)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def lifetimes(lake):
    """Return {day: {(tweet, type): count}}; a row that is there twice fails."""
    found = {}
    for day, tweet, name, count in rows(lake, "select observed_on, tweet_id, engagement_type, count from totals"):
        assert (tweet, name) not in found.setdefault(day, {})
        found[day][tweet, name] = count
    return found


def last_hours(lake):
    found = rows(lake, "select tweet_id, engagement_type, day, hour, count from recent")
    assert len({row[:4] for row in found}) == len(found)
    return {row[:4]: row[4] for row in found}


def rows(lake, sql):
    return [tuple(row.values()) for row in catalog.query(lake, sql).to_pylist()]


def count_lifetimes(lake, counts, now, **further):
    observed(lake, TOTALS, totals(counts), now, **({"tweets": {tweet for tweet, _ in counts}} | further))


def count_hours(lake, cells, now, **further):
    observed(lake, RECENT, parts(cells), now, **({"tweets": {cell[0] for cell in cells}} | further))


def test_lifetimes_are_kept_by_the_day_on_which_they_were_observed(lake):
    count_lifetimes(lake, {(1, "favorites"): 5}, at(1))
    count_lifetimes(lake, {(1, "favorites"): 8}, at(1) + timedelta(days=1))
    publish_pulls(lake)
    assert lifetimes(lake) == {TODAY: {(1, "favorites"): 5}, date(2026, 2, 2): {(1, "favorites"): 8}}
    assert rows(lake, "select observed_at from totals order by 1") == [(at(1),), (at(1) + timedelta(days=1),)]
    schema = pq.read_schema(lake.rows(TOTALS.table, TODAY)).remove_metadata()
    assert schema.equals(TOTALS.table.schema)


def test_a_second_observation_of_a_day_replaces_a_tweet_whole_and_keeps_the_others(lake):
    """A type that it lacks was not observed then."""
    count_lifetimes(lake, {(1, "favorites"): 5, (1, "retweets"): 1, (2, "favorites"): 6}, at(1))
    publish_pulls(lake)
    count_lifetimes(lake, {(1, "favorites"): 7}, at(2))
    publish_pulls(lake)
    assert lifetimes(lake) == {TODAY: {(1, "favorites"): 7, (2, "favorites"): 6}}


def test_a_tweet_that_is_gone_keeps_what_was_observed_of_it(lake):
    count_lifetimes(lake, {(1, "favorites"): 5}, at(1))
    publish_pulls(lake)
    count_lifetimes(lake, {}, at(2), tweets=[1], unavailable_tweet_ids=["1"])
    publish_pulls(lake)
    assert lifetimes(lake) == {TODAY: {(1, "favorites"): 5}}
    assert coverage(lake, "endpoint, outcome, rows") == [("totals", "unavailable", 1)]


def test_the_last_hours_of_a_tweet_are_those_of_its_newest_answer(lake):
    """An hour that it lacks is no longer one of them."""
    count_hours(lake, full([1, 2], 3, window=TODAY_ONLY, hours=(1, 2)), at(3))
    publish_pulls(lake)
    count_hours(lake, full([1], 4, window=TODAY_ONLY, hours=(2, 3)), at(4))
    publish_pulls(lake)
    assert last_hours(lake) == full([1], 4, window=TODAY_ONLY, hours=(2, 3)) | full(
        [2], 3, window=TODAY_ONLY, hours=(1, 2)
    )


@pytest.mark.parametrize(("age", "kept"), [(timedelta(hours=28), False), (timedelta(hours=27, minutes=59), True)])
def test_what_was_observed_28_hours_ago_is_no_longer_recent(lake, age, kept):
    """Whoever left the roster leaves the table, too, when a later pull comes."""
    left = full([1], 3, window=TODAY_ONLY, hours=(1,))
    count_hours(lake, left, at(3))
    publish_pulls(lake)
    now = at(3) + age
    fresh = full([2], 4, window=Window(now.date(), now.date()), hours=(2,))
    count_hours(lake, fresh, now)
    publish_pulls(lake)
    assert last_hours(lake) == (left if kept else {}) | fresh


def test_what_is_asked_of_the_present_has_coverage_of_its_own(lake):
    count_lifetimes(lake, {(1, "favorites"): 5}, at(1))
    count_hours(lake, full([1], 3, window=TODAY_ONLY), at(2))
    publish_pulls(lake)
    assert set(coverage(lake, "endpoint, day, outcome, rows, pulled_at")) == {
        ("28hr", TODAY, "stored", 4, at(2)),
        ("totals", TODAY, "stored", 1, at(1)),
    }


@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
def test_publishing_twice_changes_no_byte(lake, endpoint):
    count_lifetimes(lake, {(1, "favorites"): 5}, at(1))
    count_hours(lake, full([1], 3, window=TODAY_ONLY), at(2))
    publish_pulls(lake)
    before = parquet_files(lake)
    for path in lake.raw.glob(f"{endpoint}/*/*/pull.json"):
        path.write_text(path.read_text().replace('"published": true', '"published": false'))
    (publication,) = publish_pulls(lake)
    assert publication.stored == {1}
    assert parquet_files(lake) == before


@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
def test_a_damaged_file_is_named_and_what_the_message_says_mends_it(lake, endpoint):
    def pull(hour):
        if endpoint == TOTALS:
            count_lifetimes(lake, {(1, "favorites"): hour}, at(hour))
        else:
            count_hours(lake, full([1], hour, window=TODAY_ONLY), at(hour))

    pull(1)
    publish_pulls(lake)
    path = lake.rows(endpoint.table, TODAY)
    path.write_bytes(b"no parquet")
    pull(2)
    fix = f"engagement rebuild --from {TODAY} --to {TODAY} makes it anew from raw"
    with pytest.raises(LakeError, match=f"{path} is damaged .*: {fix if endpoint == TOTALS else OF_RECENT}$"):
        publish_pulls(lake)
    if endpoint == TOTALS:
        rebuilt(lake, first=TODAY, last=TODAY)
    else:
        rebuilt(lake, "recent")
    publish_pulls(lake)
    assert {*lifetimes(lake).get(TODAY, {}).values(), *last_hours(lake).values()} == {2}
