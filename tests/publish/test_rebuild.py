"""Tables made anew from raw: they come out as they were, with no request, and no row is lost unsaid."""

import json
import shutil
import socket

import pyarrow.parquet as pq
import pytest
from bodies import at, begin, full, land, observed, pulled, totals
from histories import FIRST, IMPRESSIONS, SECOND, THIRD, TODAY, delete, forget
from tables import check_daily, contents, counts, parquet_files, rebuilt

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.lake import set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

TABLE_FOLDERS = ("engagements", "daily", "coverage", "revisions", "totals", "recent.parquet")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.mark.usefixtures("with_catalogue")
def test_a_lake_of_which_nothing_has_landed_has_nothing_to_rebuild(lake):
    catalog.write(lake)  # its views read files without rows
    before = parquet_files(lake)
    assert rebuilt(lake) == []
    assert parquet_files(lake) == before


def test_where_no_lake_is_none_is_made(lake):
    with pytest.raises(InputError, match="there is no lake in"):
        rebuilt(lake)
    assert not lake.root.exists()


def test_what_was_never_published_is_in_the_tables_once_they_are_rebuilt(lake):
    pulled(lake, full([1, 2], 5), at(1))
    rebuilt(lake)
    assert counts(lake) == full([1, 2], 5)
    before = contents(lake)
    publish_pulls(lake)
    assert contents(lake) == before


def test_nothing_is_asked_of_anybody(history, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    delete(history, *TABLE_FOLDERS)
    monkeypatch.setattr(socket, "socket", refuse)
    assert {day.endpoint for day in rebuilt(history)} == {HISTORICAL, TOTALS, RECENT}
    assert not (history.root / "requests").exists()


@pytest.mark.parametrize("names", [[], *([name] for name in TABLE_FOLDERS), TABLE_FOLDERS], ids=str)
def test_whatever_is_deleted_the_tables_come_out_as_they_were(history, names):
    before, listed = contents(history), set_aside.load(history)
    delete(history, *names)
    report = rebuilt(history)
    assert contents(history) == before
    assert set_aside.load(history) == listed
    check_daily(history)
    assert [(day.kept, day.lost, day.damaged) for day in report] == [({}, (), ())] * len(report)
    assert not list(history.root.glob(".[ar]*[de]"))  # .aside, .rebuild


def test_the_report_counts_rows_and_tells_which_days_changed(history):
    delete(history, "daily", f"engagements/day={SECOND}")
    report = rebuilt(history, "engagements")
    found = catalog.query(history, "select day, count(*) as n from engagements group by day order by day")
    assert {day.day: day.rows for day in report} == dict(zip(*found.to_pydict().values(), strict=True))
    assert [day.day for day in report if day.changed] == [SECOND]


@pytest.mark.parametrize(("table", "rows"), [("totals", 3), ("recent", 8)])
def test_of_the_present_the_report_counts_rows_and_tells_changes_too(history, table, rows):
    report = rebuilt(history, table)
    assert (sum(day.rows for day in report), any(day.changed for day in report)) == (rows, False)
    delete(history, "recent.parquet", "totals")
    report = rebuilt(history, table)
    assert (sum(day.rows for day in report), any(day.changed for day in report)) == (rows, True)


def test_rebuilt_twice_no_row_changes(history):
    rebuilt(history)
    before = contents(history)
    assert not any(day.changed for day in rebuilt(history))
    assert contents(history) == before


def test_a_rebuilt_day_names_the_newest_pull_it_holds(history):
    def named(day):
        metadata = pq.read_metadata(history.rows(HISTORICAL.table, day)).metadata
        return json.loads(metadata[b"engagement_pipeline"])["newest_pull"]

    before = [named(day) for day in (FIRST, SECOND, THIRD)]
    for names in ((), ("engagements",)):
        delete(history, *names)
        rebuilt(history)
        assert [named(day) for day in (FIRST, SECOND, THIRD)] == before


def test_a_range_rebuilds_its_days_alone(history):
    before = contents(history)
    for day in (FIRST, SECOND, THIRD):
        history.rows(HISTORICAL.table, day).unlink()
    report = rebuilt(history, "engagements", first=SECOND, last=SECOND)
    assert [day.day for day in report] == [SECOND]
    found = contents(history)["engagements"]
    assert found == [row for row in before["engagements"] if row[2] == SECOND]
    rebuilt(history, "engagements", first=THIRD)
    rebuilt(history, "engagements", last=FIRST)
    assert contents(history) == before


def test_the_last_hours_are_rebuilt_whole_whichever_of_their_days_is_asked_for(history):
    before = contents(history)
    delete(history, "recent.parquet")
    rebuilt(history, first=FIRST, last=SECOND)
    assert contents(history, "recent") == {"recent": []}
    rebuilt(history, first=TODAY, last=TODAY)
    assert contents(history) == before


def test_the_first_day_is_not_after_the_last(lake):
    lake.open()
    with pytest.raises(InputError, match=f"the first day, {SECOND}, is after the last, {FIRST}: swap them"):
        rebuilt(lake, first=SECOND, last=FIRST)


def test_what_was_set_aside_before_it_was_published_is_known_once_it_is(lake):
    """A rebuild puts the rows of a pull in before its publication does, which then still tells who was refused."""
    pull = begin(lake, at(1))
    land(pull, full([1], 5), tweets=[1, 8], unavailable_tweet_ids=["8"])
    land(pull, {}, tweets=[9], refusal="403: Forbidden to access tweets: 9")
    rebuilt(lake)
    publish_pulls(lake)
    assert {tweet: word.reason for tweet, word in set_aside.load(lake).items()} == {8: "unavailable", 9: "forbidden"}


# What raw does not hold any more.


def test_rows_whose_response_is_gone_stay_and_are_named(lake):
    gone = pulled(lake, full([1, 2], 1), at(1))
    pulled(lake, full([2, 3], 2), at(2))
    publish_pulls(lake)
    before = contents(lake)
    forget(lake, gone)
    report = rebuilt(lake)
    assert contents(lake) == before
    assert [(day.kept, day.lost, day.changed) for day in report] == [({1: 4}, (), False)] * 2


def test_a_single_count_that_no_response_holds_stays_and_is_named(lake):
    """Of a Tweet that a later pull asked for fewer types of."""
    gone = pulled(lake, full([1], 1), at(1))
    pulled(lake, full([1], 2, types=IMPRESSIONS), at(2), types=IMPRESSIONS)
    publish_pulls(lake)
    before = contents(lake)
    forget(lake, gone)
    report = rebuilt(lake)
    assert contents(lake) == before
    assert [day.kept for day in report] == [{1: 2}] * 2


def test_an_older_answer_does_not_replace_a_newer_one_whose_response_is_gone(lake):
    pulled(lake, full([1, 2], 1), at(1))
    gone = pulled(lake, full([1], 2), at(2))
    publish_pulls(lake)
    before = contents(lake)
    forget(lake, gone)
    report = rebuilt(lake)
    assert contents(lake) == before
    assert [day.kept for day in report] == [{1: 4}] * 2


@pytest.mark.parametrize("refusal", ["", "403: Forbidden to access tweets: 1"])
def test_a_tweet_that_was_refused_since_keeps_its_rows_too(lake, refusal):
    gone = pulled(lake, full([1], 1), at(1))
    further = {"refusal": refusal} if refusal else {"unavailable_tweet_ids": ["1"]}
    pulled(lake, {}, at(2), tweets=[1], **further)
    publish_pulls(lake)
    before = contents(lake)
    forget(lake, gone)
    assert [day.kept for day in rebuilt(lake)] == [{1: 4}] * 2
    assert contents(lake) == before


def test_lifetimes_whose_response_is_gone_stay(lake):
    gone = observed(lake, TOTALS, totals({(1, "favorites"): 5, (2, "favorites"): 5}), at(1), tweets=[1, 2])
    observed(lake, TOTALS, totals({(2, "favorites"): 6}), at(2), tweets=[2])
    publish_pulls(lake)
    before = contents(lake)
    forget(lake, gone)
    (report,) = rebuilt(lake)
    assert contents(lake) == before
    assert (report.kept, report.rows, report.changed) == ({1: 1}, 2, False)


def test_with_no_response_left_all_stays_and_all_is_named(history):
    before = contents(history)
    shutil.rmtree(history.raw)
    report = rebuilt(history)
    assert contents(history) == before
    assert {(day.endpoint, day.day): sum(day.kept.values()) for day in report} == {
        (day.endpoint, day.day): 0 if day.endpoint == RECENT else day.rows for day in report
    }
