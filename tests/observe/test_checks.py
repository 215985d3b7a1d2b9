"""Each check passes on a healthy day, and says in words what is wrong with one that is not."""

import errno
import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from bodies import TYPES, WINDOW, at, full, pulled
from checked import WHOLE, healthy, refused, roster
from older import tweet_posted

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.core.tables import COVERAGE
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read, write
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.observe import checks
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import by_day

FIRST, DAY = WINDOW.days()


@pytest.fixture
def lake(tmp_path):
    return healthy(tmp_path)


def verdicts(lake, day=DAY, **settings):
    """Return the verdict of each check by its name."""
    with by_day.by_day(lake) as ask:
        looked_at = checks.Day(lake=lake, day=day, ask=ask, settings=Settings(**settings))
        return {check.name: verdict for check, verdict in checks.of_day(looked_at)}


def failed(lake, day=DAY, **settings):
    return {name: verdict.words for name, verdict in verdicts(lake, day, **settings).items() if not verdict.passed}


def rewritten(lake, change, *, day=DAY):
    """Write the day's file anew as `change` makes it of what it is."""
    path = lake.rows(HISTORICAL.table, day)
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)


def test_a_healthy_day_passes_every_check_each_in_words(lake):
    found = verdicts(lake)
    assert list(found) == [check.name for check in checks.CHECKS]
    assert all(verdict.passed and verdict.words for verdict in found.values())


def test_a_day_that_nothing_was_asked_for_has_its_tweets_unaccounted_for_and_nothing_else(lake):
    roster(lake, {1: "ann"})
    assert list(failed(lake)) == []
    assert [name for name, verdict in verdicts(lake, day=at(1).date()).items() if not verdict.passed] == [
        "tweets_accounted_for"
    ]


def test_a_key_that_is_there_twice(lake):
    rewritten(lake, lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]))
    words = failed(lake)["key_unique"]
    assert words.startswith("keys with several rows (1): 1 impressions at 0; engagement rebuild --from 2026-01-02 --to")


def test_a_column_of_another_type(lake):
    place = HISTORICAL.table.schema.names.index("count")
    rewritten(lake, lambda rows: rows.set_column(place, "count", rows["count"].cast(pa.int32())))
    assert "count is int32, not int64" in failed(lake)["schema"]


def test_a_column_that_is_missing_or_too_many(lake):
    rewritten(lake, lambda rows: rows.rename_columns(["tweet_id", "engagement_type", "date", "hour", "n"]))
    assert "count is missing, n is not a declared column" in failed(lake)["schema"]


def test_a_row_of_another_day(lake):
    other = pq.read_table(lake.rows(HISTORICAL.table, FIRST), partitioning=None).slice(0, 2)
    rewritten(lake, lambda rows: pa.concat_tables([rows, other]))
    assert "2 rows are of other days" in failed(lake)["schema"]


def test_a_row_that_is_lost(lake):
    rewritten(lake, lambda rows: rows.slice(1))
    assert "1 has 47 rows where 48 were published" in failed(lake)["audit"]


def test_a_count_that_changed(lake):
    def more(rows):
        return rows.set_column(4, HISTORICAL.table.schema.field("count"), pc.add(rows["count"], 1))

    rewritten(lake, more)
    assert "1 impressions sums to 264 here and to 240 in daily, 1 url_clicks" in failed(lake)["audit"]


def test_hours_before_the_first_tweet_was_posted_are_not_missed(tmp_path):
    lake, young = Lake(tmp_path / "lake"), tweet_posted(2026, 1, 2, 5)
    pulled(lake, full([young], 0, hours=WHOLE), at(1))
    publish_pulls(lake)
    roster(lake, {young: "ann"})
    assert failed(lake) == failed(lake, day=FIRST) == {}
    assert verdicts(lake)["hours_complete"].words.startswith("all 19 hours since the first Tweet was posted at 5 UTC")


def test_an_hour_of_which_there_is_nothing(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 10, hours=range(2, 24)), at(1))
    publish_pulls(lake)
    roster(lake, {1: "ann"})
    assert failed(lake) == {"hours_complete": "no Tweet has a count at 0, 1 UTC: pull the day again"}


def test_a_tweet_of_the_roster_that_was_never_asked_for(lake):
    roster(lake, {1: "ann", 2: "ann", 3: "bob", 4: "bob"})
    words = failed(lake)["tweets_accounted_for"]
    assert words == (
        "Tweets of the roster without an answer for the day (1): 4 of bob; pull the day again; if their account fails, "
        "engagement check says why"
    )


@pytest.mark.parametrize(("hour", "found"), [(23, ["tweets_accounted_for"]), (24, [])])
def test_a_tweet_counts_from_the_day_on_which_it_was_posted(lake, hour, found):
    roster(lake, {4: "bob"}, posted_at=datetime(2026, 1, 2, tzinfo=UTC) + timedelta(hours=hour))
    assert list(failed(lake)) == found


def test_a_tweet_that_is_set_aside_is_accounted_for(lake):
    pulled(lake, full([1], 10, hours=WHOLE), at(2), tweets=[1, 4], unavailable_tweet_ids=["4"])
    publish_pulls(lake)
    roster(lake, {1: "ann", 4: "bob"})
    assert failed(lake) == {}
    lake.coverage(HISTORICAL, DAY).unlink()
    assert "1 of ann" in failed(lake)["tweets_accounted_for"]
    assert "4 of bob" not in failed(lake)["tweets_accounted_for"]


def test_a_handle_that_was_alive_and_is_silent(tmp_path):
    lake = Lake(tmp_path / "lake")
    silent = {cell: count for cell, count in full([3], 10, hours=WHOLE).items() if cell[2] == FIRST}
    pulled(lake, full([1], 10, hours=WHOLE) | silent, at(1))
    publish_pulls(lake)
    roster(lake, {1: "ann", 3: "bob"})
    assert failed(lake)["handles_alive"] == (
        "no impressions, after many the day before: bob (240 on 2026-01-01); engagement check tries the accounts"
    )


def test_a_handle_that_was_hardly_seen_may_fall_silent(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 1, hours=WHOLE), at(1))
    publish_pulls(lake)
    roster(lake, {1: "ann"})
    assert verdicts(lake)["handles_alive"].words == ("no handle had 100 impressions on 2026-01-01: none fell silent")


@pytest.mark.parametrize(("percent", "passes"), [(33, False), (34, True)])
def test_more_counts_restated_than_the_setting_allows(lake, percent, passes):
    pulled(lake, full([1], 11, hours=WHOLE) | full([2, 3], 10, hours=WHOLE), at(2))
    publish_pulls(lake)
    verdict = verdicts(lake, restated_percent=percent)["restated"]
    assert verdict.passed is passes
    assert verdict.words.startswith(f"the newest pull changed {24 * len(TYPES)} of {72 * len(TYPES)} counts")
    assert ("more than 33 %" in verdict.words) is not passes


def test_a_damaged_file_fails_what_needs_it_with_its_name_and_the_fix(lake):
    path = lake.rows(HISTORICAL.table, DAY)
    path.write_bytes(b"no parquet")
    found = failed(lake)
    assert {"key_unique", "schema", "audit", "hours_complete"} <= set(found)
    assert all(f"{path} is damaged" in words and "engagement rebuild" in words for words in found.values())


def test_a_file_that_is_not_given_fails_what_needs_it_and_nothing_else(lake, monkeypatch):
    path, source = lake.rows(HISTORICAL.table, DAY), LocalStorage.source

    def give(self, asked):
        if asked == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return source(self, asked)

    monkeypatch.setattr(LocalStorage, "source", give)
    found = failed(lake)
    assert all(words.startswith(f"{path} cannot be used: Permission denied; get") for words in found.values())
    assert "schema" in found
    assert len(found) < len(checks.CHECKS)


def test_a_day_that_is_not_given_keeps_no_other_from_its_report(lake, monkeypatch):
    def refuse(_, __, day, ___):
        if day == DAY:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "some.parquet")
        return "a report"

    monkeypatch.setattr(pipeline, "_day_report", refuse)
    told = pipeline.report_days(Settings(data=lake.root), [DAY, FIRST])
    assert told.reports == {FIRST: "a report"}
    assert str(told.failures[DAY]).startswith("some.parquet cannot be used: Too many open files")


def test_a_damaged_day_before_is_told_by_its_own_checks(lake):
    lake.rows(HISTORICAL.table, FIRST).write_bytes(b"no parquet")
    assert failed(lake) == {}


def test_a_damaged_month_of_sums_fails_the_audit_alone(lake):
    lake.daily(DAY).write_bytes(b"no parquet")
    found = failed(lake)
    assert [*found] == ["audit"]
    assert f"{lake.daily(DAY)} is damaged" in found["audit"]


def test_a_tweet_that_was_asked_for_in_vain_is_unaccounted_for_with_the_reason(lake):
    roster(lake, {1: "ann", 4: "bob"})
    refused(lake, [4], at(2))
    words = failed(lake)["tweets_accounted_for"]
    assert (
        "Tweets of the roster without an answer for the day (1): 4 of bob (account refused: 401: Access token not"
        in words
    )


def test_counts_that_are_older_than_the_newest_request_pass_and_are_told(lake):
    refused(lake, [1, 3], at(2))
    verdict = verdicts(lake)["tweets_accounted_for"]
    assert (verdict.passed, verdict.numbers) == (True, {"older": 2})
    assert verdict.words.endswith("got no answer, so their counts are older (account refused: 2 Tweets)")


def test_counts_that_the_newest_answer_left_out_fail_the_audit_as_a_warning(lake):
    """The rows may be right, so nothing that is built on the day is to stop."""
    pulled(lake, full([1], 2, hours=WHOLE, types=("url_clicks",)), at(2))
    publish_pulls(lake)
    verdict = verdicts(lake)["audit"]
    assert (verdict.passed, verdict.warns, verdict.numbers) == (False, True, {"left_out": 1})
    assert verdict.words == (
        "the newest answers of 1 Tweets left out counts, and the older ones stay: 1 sums to 288 here and to 48 in its "
        "newest answer, which left out impressions; coverage has them as left_out"
    )


def test_types_that_were_not_asked_for_pass_the_audit(lake):
    pulled(lake, full([1], 2, hours=WHOLE, types=("url_clicks",)), at(2), types=("url_clicks",))
    publish_pulls(lake)
    assert verdicts(lake)["audit"].passed


def test_counts_that_are_not_those_of_the_newest_answer_fail_the_audit(lake):
    """Also if the daily sums were made of the same wrong rows."""
    for path in (lake.rows(HISTORICAL.table, DAY), lake.daily(DAY)):
        rows = pq.ParquetFile(path).read()
        counts = pc.add(rows["count"], pc.cast(pc.equal(rows["tweet_id"], 2), pa.int64()))
        if path == lake.daily(DAY):
            wrong = pc.and_(pc.equal(rows["tweet_id"], 2), pc.equal(rows["day"], pa.scalar(DAY)))
            counts = pc.add(rows["count"], pc.multiply(pc.cast(wrong, pa.int64()), 24))
        pq.write_table(rows.set_column(rows.column_names.index("count"), "count", counts), path)
    verdict = verdicts(lake)["audit"]
    assert (verdict.passed, verdict.warns, verdict.numbers) == (False, False, {"tweets": 1})
    assert verdict.words.startswith(
        "counts are not those of the newest answers: 2 sums to 528 here and to 480 in its newest answer; engagement"
    )


def test_coverage_of_an_older_version_passes_the_audit(lake):
    path = lake.coverage(HISTORICAL, DAY)
    nothing = pa.nulls(3, pa.int64())
    coverage = read(lake, path, COVERAGE)
    for name in ("answer_count", "kept_count"):
        coverage = coverage.set_column(coverage.column_names.index(name), name, nothing)
    write(coverage, path, COVERAGE)
    assert verdicts(lake)["audit"].passed


def test_the_checks_use_as_many_threads_as_the_setting_workers_says(lake, monkeypatch):
    def look(day):
        return checks.Verdict(passed=True, words=str(day.rows("select current_setting('threads') as n")))

    monkeypatch.setattr(checks, "CHECKS", (checks.Check(name="threads", meaning="how many", look=look),))
    ((_, _, verdict),) = checks.of_days(Settings(data=lake.root, workers=7), [DAY])
    assert verdict.words == "[{'n': 7}]"
