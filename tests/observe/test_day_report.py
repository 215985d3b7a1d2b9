"""What is told of a day: its numbers, and nothing of other days."""

import shutil

import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, observed, parts, pulled, totals

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import ACCOUNT_REFUSED
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe.day_report import describe
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import by_day

FIRST, SECOND = WINDOW.days()
LAST_DAY = Window(SECOND, SECOND)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def described(lake, day):
    with by_day.by_day(lake) as ask:
        return describe(lake, day, ask)


def numbers(lake, day):
    """Return rows, Tweets, what is set aside, and requests."""
    report = described(lake, day)
    return report.rows, report.tweets, report.set_aside, report.requests


def test_rows_tweets_requests_and_what_was_set_aside_by_reason(lake):
    pull = begin(lake, at(1))
    land(pull, full([1, 2], 1))
    land(pull, full([3], 1), tweets=[3, 4], unavailable_tweet_ids=["4"])
    land(pull, {}, tweets=[5], refusal="403: no")
    land(pull, {}, tweets=[6], refusal="403: no")
    publish_pulls(lake)
    assert numbers(lake, SECOND) == (12, 3, {"forbidden": 2, "unavailable": 1}, 2)


def test_a_tweet_whose_newest_answer_is_a_refusal_is_set_aside_and_keeps_its_rows(lake):
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    pull = begin(lake, at(2))
    land(pull, {}, tweets=[1], refusal="403: no")
    land(pull, full([2], 1))
    publish_pulls(lake)
    assert numbers(lake, SECOND) == (8, 1, {"forbidden": 1}, 2)


def test_tweets_without_an_answer_and_counts_that_were_left_out_are_told(lake):
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    pull = begin(lake, at(2))
    land(pull, full([1], 2, hours=(0,)))
    land(pull, {}, tweets=[2, 3], refusal="401: no", unanswered=ACCOUNT_REFUSED)
    publish_pulls(lake)
    assert numbers(lake, SECOND) == (8, 1, {ACCOUNT_REFUSED: 2}, 2)
    assert described(lake, SECOND).left_out == 1


def test_a_day_is_described_by_historical_alone(lake):
    pulled(lake, full([1], 1), at(1))
    for endpoint, content in ((TOTALS, totals({(1, "favorites"): 7})), (RECENT, parts(full([1], 3, window=LAST_DAY)))):
        observed(lake, endpoint, content, at(2), tweets=[1])
    publish_pulls(lake)
    assert numbers(lake, SECOND) == (4, 1, {}, 1)
    assert numbers(lake, at(2).date()) == (0, 0, {}, 0)


def test_a_day_that_nothing_was_asked_for_is_all_zero(lake):
    lake.open()
    report = described(lake, FIRST)
    assert numbers(lake, FIRST) == (0, 0, {}, 0)
    assert (report.impressions, report.restated, report.bytes, report.top, report.largest) == (0, 0, 0, (), ())
    assert report.hours == report.before == ((0,) * 24, (0,) * 24)


def test_impressions_in_all_by_hour_and_of_the_first_tweets(lake):
    pulled(lake, full([1], 5) | full([2], 7), at(1))
    publish_pulls(lake)
    report = described(lake, SECOND)
    assert report.impressions == 24
    assert report.hours.impressions == (12, *[0] * 22, 12)
    assert [(tweet["tweet_id"], tweet["impressions"]) for tweet in report.top] == [("2", 14), ("1", 10)]


def test_the_hours_of_the_day_before_are_told_too_and_as_zero_if_they_cannot_be_read(lake):
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    assert described(lake, SECOND).before == described(lake, FIRST).hours
    assert sum(described(lake, SECOND).before.impressions) == 10
    lake.rows(HISTORICAL.table, FIRST).write_bytes(b"no parquet")
    assert sum(described(lake, SECOND).before.impressions) == 0
    assert described(lake, SECOND).impressions == 10


def test_the_rows_with_the_largest_counts_are_shown_as_they_are_in_the_table(lake):
    pulled(lake, full([1], 5) | full([2], 7), at(1))
    publish_pulls(lake)
    shown = described(lake, SECOND).largest
    assert shown[0] == {"tweet_id": "2", "engagement_type": TYPES[0], "day": str(SECOND), "hour": 0, "count": 7}
    assert [row["count"] for row in shown] == [7] * 4 + [5] * 4


def test_the_bytes_are_those_of_the_file(lake):
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    assert described(lake, SECOND).bytes == lake.rows(HISTORICAL.table, SECOND).stat().st_size


def test_restated_is_what_the_newest_pull_changed_and_not_what_earlier_ones_did(lake):
    seen = []
    for hour, count in ((1, 5), (2, 6), (3, 6)):
        pulled(lake, full([1], 1) | full([2], count), at(hour))
        publish_pulls(lake)
        seen.append(described(lake, SECOND).restated)
    assert seen == [0, 4, 0]


def test_a_copy_of_a_folder_restates_nothing_again(lake):
    for hour, count in ((1, 5), (2, 6)):
        pulled(lake, full([1], count), at(hour))
        publish_pulls(lake)
    folder = lake.root / "revisions" / "pulled_on=2026-02-01"
    shutil.copytree(folder, folder.with_name(f"{folder.name} copy"))
    assert described(lake, SECOND).restated == 4


def test_what_is_damaged_of_another_day_is_not_in_the_way(lake):
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    for path in (lake.rows(HISTORICAL.table, FIRST), lake.coverage(HISTORICAL, FIRST)):
        path.write_bytes(b"")
    assert described(lake, SECOND).rows == 4
    with pytest.raises(LakeError, match="is damaged") as caught:
        described(lake, FIRST)
    assert caught.value.day == FIRST
