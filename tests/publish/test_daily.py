"""daily: a file a month, which always holds the sums of the rows of its days."""

from datetime import date

import pyarrow.parquet as pq
import pytest
from bodies import TYPES, at, full, pulled
from tables import check_daily, counts, rebuilt

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import TYPE_NAMES
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import daily, day_file, pending
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

NEW_YEAR = Window(date(2025, 12, 30), date(2026, 1, 2))
JANUARY, DECEMBER = date(2026, 1, 1), date(2025, 12, 31)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture(params=[True, False], ids=["a row or two at a time", "all at once"])
def _sizes(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(pending, "CHUNK_TWEETS", 1)
        monkeypatch.setattr(day_file, "ROW_GROUP", 2)


def over_new_year(lake, hour, tweets=(7, 3, 5), value=1):
    """Publish the same count of these Tweets for two days of either year, as of an hour."""
    pulled(lake, full([*tweets], value, window=NEW_YEAR), at(hour), window=NEW_YEAR)
    publish_pulls(lake)


@pytest.mark.usefixtures("_sizes")
def test_each_month_has_a_file_that_is_sorted_by_tweet_type_and_day(lake):
    over_new_year(lake, 1)
    over_new_year(lake, 2, tweets=(4, 7), value=9)
    assert sorted(path.name for path in (lake.root / "daily").iterdir()) == ["2025-12.parquet", "2026-01.parquet"]
    for day in (JANUARY, DECEMBER):
        rows = pq.read_table(lake.daily(day)).to_pylist()
        keys = [(row["tweet_id"], TYPE_NAMES.index(row["engagement_type"]), row["day"]) for row in rows]
        assert keys == sorted(set(keys))
        assert {key[0] for key in keys} == {3, 4, 5, 7}
    check_daily(lake)


@pytest.mark.usefixtures("_sizes")
def test_a_day_that_changes_leaves_the_other_days_of_its_month(lake):
    over_new_year(lake, 1)
    one = Window(JANUARY, JANUARY)
    pulled(lake, full([5, 6], 4, window=one), at(2), window=one)
    december = lake.daily(DECEMBER).read_bytes()
    publish_pulls(lake)
    check_daily(lake)
    assert lake.daily(DECEMBER).read_bytes() == december


def test_a_publication_that_changes_nothing_writes_no_month(lake):
    over_new_year(lake, 1)
    before = {path: path.stat().st_ino for path in (lake.root / "daily").iterdir()}
    over_new_year(lake, 2)
    assert {path: path.stat().st_ino for path in (lake.root / "daily").iterdir()} == before


@pytest.mark.usefixtures("_sizes")
def test_a_month_that_is_gone_is_summed_anew_when_one_of_its_days_changes(lake):
    over_new_year(lake, 1)
    lake.daily(JANUARY).unlink()
    one = Window(JANUARY, JANUARY)
    pulled(lake, full([5], 4, window=one), at(2), window=one)
    publish_pulls(lake)
    check_daily(lake)


@pytest.mark.usefixtures("_sizes")
def test_a_damaged_month_is_named_and_made_anew_when_one_of_its_days_changes(lake, caplog):
    over_new_year(lake, 1)
    path = lake.daily(JANUARY)
    path.write_bytes(path.read_bytes()[:-9])
    one = Window(JANUARY, JANUARY)
    pulled(lake, full([5], 4, window=one), at(2), window=one)
    publish_pulls(lake)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} is damaged: it is made anew of the rows of its days"
    ]
    check_daily(lake)
    assert {count for (tweet, _, day, _), count in counts(lake).items() if (tweet, day) == (5, JANUARY)} == {4}


def test_a_damaged_month_that_is_asked_is_named_and_made_anew_as_the_message_says(lake):
    over_new_year(lake, 1)
    path = lake.daily(JANUARY)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LakeError, match="engagement rebuild --from 2026-01-01 --to 2026-01-31 makes it anew") as caught:
        catalog.query(lake, "from daily")
    assert str(path) in str(caught.value)
    rebuilt(lake, first=JANUARY, last=date(2026, 1, 31))
    check_daily(lake)


@pytest.mark.usefixtures("_sizes")
@pytest.mark.parametrize("gone", [True, False], ids=["gone", "damaged"])
def test_a_rebuild_of_one_day_makes_its_month_whole(lake, gone):
    over_new_year(lake, 1)
    path = lake.daily(JANUARY)
    path.unlink() if gone else path.write_bytes(b"PAR1")
    (day,) = rebuilt(lake, "engagements", first=JANUARY, last=JANUARY)
    assert day.damaged == (() if gone else (path,))
    check_daily(lake)


@pytest.mark.usefixtures("_sizes")
def test_a_month_that_is_gone_is_summed_anew_though_none_of_its_days_changes(lake):
    over_new_year(lake, 1)
    lake.daily(JANUARY).unlink()
    over_new_year(lake, 2)
    check_daily(lake)


def test_a_damaged_day_in_the_way_of_its_month_is_named_with_what_mends_both(lake):
    over_new_year(lake, 1)
    for path in (
        lake.daily(JANUARY),
        lake.rows(HISTORICAL.table, JANUARY),
        lake.rows(HISTORICAL.table, date(2026, 1, 2)),
    ):
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        LakeError, match="engagement rebuild --from 2026-01-01 --to 2026-01-31 makes both anew"
    ) as caught:
        rebuilt(lake, "engagements", first=JANUARY, last=JANUARY)
    assert str(lake.rows(HISTORICAL.table, date(2026, 1, 2))) in str(caught.value)
    rebuilt(lake, first=JANUARY, last=date(2026, 1, 31))
    check_daily(lake)


def test_rows_that_are_gone_are_not_taken_for_none(lake):
    """Else a later pull of fewer types would leave only its own, and nobody would miss the others."""
    over_new_year(lake, 1)
    lake.rows(HISTORICAL.table, JANUARY).unlink()
    one = Window(JANUARY, JANUARY)
    pulled(lake, full([5], 4, types=TYPES[:1], window=one), at(2), types=TYPES[:1], window=one)
    with pytest.raises(
        LakeError, match=r"is missing, .* engagement rebuild --from 2026-01-01 --to 2026-01-01"
    ) as caught:
        publish_pulls(lake)
    assert str(lake.rows(HISTORICAL.table, JANUARY)) in str(caught.value)
    rebuilt(lake, first=JANUARY, last=JANUARY)
    publish_pulls(lake)
    check_daily(lake)
    assert len([cell for cell in counts(lake) if cell[2] == JANUARY]) == 3 * len(TYPES) * 2


def test_a_day_that_has_no_rows_any_more_leaves_its_month(lake):
    over_new_year(lake, 1)
    lake.staging.mkdir()
    lake.storage.swap(daily.write_months(lake, {JANUARY: None}).files)
    assert {row["day"] for row in pq.read_table(lake.daily(JANUARY)).to_pylist()} == {date(2026, 1, 2)}


def test_a_month_without_rows_or_file_stays_without(lake):
    lake.open()
    lake.staging.mkdir()
    assert daily.write_months(lake, {JANUARY: None}).files == {}
