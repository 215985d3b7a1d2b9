"""A response's rows, sorted into days: no row is lost, changed or out of place, in memory or through a file."""

from datetime import date, timedelta

import numpy as np
import pyarrow.compute as pc
import pytest

from engagement_pipeline.core.rows import engagements_table
from engagement_pipeline.core.tables import EPOCH
from engagement_pipeline.publish.by_day import Runs, joined, split_by_day
from engagement_pipeline.publish.merge import HOURS, LAST_ID, NEVER, Rows, of_table

FIRST, DAYS, TYPES = date(2026, 1, 30), 3, 2
LARGE = 2**40


def table(tweets, *, leave_out=(), counts=None):
    """Return a response's rows, all hours of all days, but for those at some places."""
    number = len(tweets) * TYPES * DAYS * HOURS
    columns = (
        np.repeat(np.array(tweets, np.int64), TYPES * DAYS * HOURS),
        np.tile(np.repeat(np.arange(TYPES, dtype=np.int8), DAYS * HOURS), len(tweets)),
        np.tile(np.repeat(np.arange(DAYS, dtype=np.int32), HOURS), len(tweets) * TYPES) + (FIRST - EPOCH).days,
        np.tile(np.arange(HOURS, dtype=np.uint8), len(tweets) * TYPES * DAYS),
        np.arange(number, dtype=np.int64) if counts is None else counts,
    )
    return engagements_table(*(np.delete(column, leave_out) for column in columns))


def of_day(rows, place):
    """Return the rows of a day, as they stand in the response."""
    return of_table(rows.filter(pc.equal(rows["day"], FIRST + timedelta(days=place))))


def same(found, expected):
    return all(np.array_equal(here, there) for here, there in zip(found, expected, strict=True))


@pytest.mark.parametrize("leave_out", [(), (0, 1, 2, 50), tuple(range(HOURS, 2 * HOURS))], ids=["whole", "some", "day"])
def test_each_day_has_its_rows_in_their_order(leave_out):
    rows = table([5, 7, 9], leave_out=leave_out)
    found = split_by_day(rows, FIRST, DAYS)
    assert all(same(joined([found.of(place, NEVER, LAST_ID)]), of_day(rows, place)) for place in range(DAYS))


def test_rows_of_days_before_and_behind_are_left_out():
    rows = table([5, 7])
    found = split_by_day(rows, FIRST + timedelta(days=1), 1)
    assert same(joined([found.of(0, NEVER, LAST_ID)]), of_day(rows, 1))
    assert len(found.runs.tweets) == 2


def test_a_day_without_rows_has_none():
    found = split_by_day(table([]), FIRST, DAYS)
    assert same(joined([found.of(1, NEVER, LAST_ID)]), Rows.none())


def test_the_tweets_of_several_responses_come_in_order():
    some, others = table([5, 9]), table([7, 11], counts=np.full(2 * TYPES * DAYS * HOURS, LARGE))
    parts = [split_by_day(rows, FIRST, DAYS).of(2, NEVER, LAST_ID) for rows in (some, others)]
    rows = joined(parts)
    assert rows.by_tweet()[0].tolist() == [5, 7, 9, 11]
    assert rows.counts[rows.tweets == 11].tolist() == [LARGE] * TYPES * HOURS
    assert same(rows.at(np.isin(rows.tweets, [5, 9])), of_day(some, 2))


def test_a_range_has_the_tweets_behind_its_low_end_up_to_its_high_one():
    found = split_by_day(table([5, 7, 9]), FIRST, DAYS)
    assert set(joined([found.of(1, 5, 9)]).tweets) == {7, 9}


def test_only_wanted_tweets_come_where_some_are_named():
    found = split_by_day(table([5, 7, 9]), FIRST, DAYS)
    assert set(joined([found.of(1, 5, 9, np.array([5, 9]))]).tweets) == {9}


@pytest.mark.parametrize(
    ("extremes", "kept_as"),
    [
        ([0, 2**15 - 1], np.int16),
        ([-(2**15), 0], np.int16),
        ([0, 2**15], np.int32),
        ([-(2**31) - 1, 0], np.int64),
        ([np.iinfo(np.int64).min, np.iinfo(np.int64).max], np.int64),
    ],
)
def test_no_count_changes_in_the_fewest_bytes_that_hold_all(extremes, kept_as):
    counts = np.resize(np.array(extremes, np.int64), TYPES * DAYS * HOURS)
    rows = table([5], counts=counts)
    found = split_by_day(rows, FIRST, DAYS)
    assert found.runs.rows[2].dtype == kept_as
    assert same(joined([found.of(0, NEVER, LAST_ID)]), of_day(rows, 0))


def test_rows_come_through_a_file_as_they_are(tmp_path):
    rows = table([5, 7], leave_out=(3, 100))
    found = split_by_day(rows, FIRST, DAYS)
    found.runs.save(tmp_path / "rows")
    again = found._replace(runs=Runs.mapped(tmp_path / "rows"))
    assert all(same(joined([again.of(place, NEVER, LAST_ID)]), of_day(rows, place)) for place in range(DAYS))


def test_a_file_of_no_rows_has_none(tmp_path):
    split_by_day(table([]), FIRST, DAYS).runs.save(tmp_path / "rows")
    assert not len(Runs.mapped(tmp_path / "rows").tweets)
