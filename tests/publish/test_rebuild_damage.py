"""Rebuilding a lake whose files are damaged, gone or of an older format: what raw has is healed, the rest is named."""

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import at, full, observed, pulled, totals
from histories import FIRST, IMPRESSIONS, SECOND, TODAY, forget
from tables import check_daily, contents, counts, coverage, parquet_files, rebuilt

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-9])


def emptied(path):
    path.write_bytes(b"")


def other_columns(path):
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.rename_columns([name[::-1] for name in table.column_names]), path)


def other_types(path):
    table = pq.read_table(path, partitioning=None)
    place = table.column_names.index("tweet_id")
    pq.write_table(table.set_column(place, "tweet_id", table["tweet_id"].cast("string")), path)


def one_bit_flipped(path):
    """At the end of a column, where it reads as another value without the page's checksum."""
    column = pq.read_metadata(path).row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[(column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)


def of_table(lake, table):
    """Return a file of a table that is in the middle of others."""
    return {
        "engagements": lake.rows(HISTORICAL.table, SECOND),
        "daily": lake.daily(SECOND),
        "coverage": lake.coverage(HISTORICAL, SECOND),
        "coverage of totals": lake.coverage(TOTALS, TODAY),
        "totals": lake.rows(TOTALS.table, TODAY),
        "recent": lake.rows(RECENT.table, TODAY),
    }[table]


DAMAGED_TABLES = ("engagements", "daily", "coverage", "coverage of totals", "totals", "recent")
DAMAGES = (cut_off, emptied, other_columns, other_types, one_bit_flipped)


@pytest.mark.parametrize("table", ["engagements", "daily", "totals", "recent"])
def test_a_file_of_a_type_that_there_is_not_is_named_and_healed(history, table):
    before = contents(history)
    path = of_table(history, table)
    rows = pq.read_table(path, partitioning=None)
    place = rows.column_names.index("engagement_type")
    strange = pa.array(["likes"] * len(rows)).dictionary_encode()
    pq.write_table(rows.set_column(place, rows.field(place).with_type(strange.type), strange), path)
    assert path in [damaged for day in rebuilt(history) for damaged in day.damaged]
    assert contents(history) == before


# Each table once and each damage; the whole square by make test-faults.
@pytest.mark.parametrize(
    ("table", "damage"),
    [
        pytest.param(table, damage, marks=[] if row % len(DAMAGES) == column else pytest.mark.faults)
        for row, table in enumerate(DAMAGED_TABLES)
        for column, damage in enumerate(DAMAGES)
    ],
)
def test_a_damaged_file_is_named_and_healed(history, table, damage):
    before = contents(history)
    path = of_table(history, table)
    damage(path)
    report = rebuilt(history)
    assert contents(history) == before
    assert {path for day in report for path in day.damaged} == {path}
    assert not any(day.lost for day in report)


def test_rows_without_statistics_are_written_with_them(history):
    """The row groups of a Tweet are found by those of its IDs."""
    before = contents(history)
    path = history.rows(HISTORICAL.table, SECOND)
    pq.write_table(pq.read_table(path, partitioning=None), path, write_statistics=False)
    rebuilt(history)
    assert contents(history) == before
    assert pq.read_metadata(path).row_group(0).column(0).is_stats_set


@pytest.mark.parametrize("damage", [cut_off, emptied, other_columns, other_types])
def test_what_a_pull_revised_is_found_again(history, damage):
    before = contents(history)
    files = {*history.root.glob("revisions/*/*.parquet")}
    for path in files:
        damage(path)
    report = rebuilt(history)
    assert contents(history) == before
    assert {path for day in report for path in day.damaged} == files


@pytest.mark.usefixtures("with_catalogue")
def test_a_damaged_file_of_what_was_revised_waits_for_all_its_days(history):
    """Made anew of some, it would lack the others for good."""
    before = contents(history)
    files = [*history.root.glob("revisions/*/*.parquet")]
    for path in files:
        emptied(path)
    with pytest.raises(LakeError, match=r"is damaged .*: engagement rebuild makes it anew from raw$"):
        rebuilt(history, first=SECOND, last=SECOND)
    assert [path.read_bytes() for path in files] == [b""] * len(files)
    rebuilt(history)
    assert contents(history) == before


def test_a_damaged_file_of_what_a_pull_revised_that_raw_has_lost_goes_and_is_named(lake, caplog):
    """Else no view could be read any more."""
    pulled(lake, full([1], 1), at(1))
    gone = pulled(lake, full([1], 2), at(2))
    publish_pulls(lake)
    forget(lake, gone)
    emptied(lake.revisions(gone))
    rebuilt(lake)
    assert contents(lake, "revisions") == {"revisions": []}
    assert counts(lake) == full([1], 2)
    assert f"{lake.revisions(gone)} was damaged" in caplog.text


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_rows_of_a_lost_file_whose_response_is_gone_are_named_until_they_are_pulled_again(lake, how):
    gone = pulled(lake, full([1], 1), at(1))
    pulled(lake, full([2], 2), at(2))
    publish_pulls(lake)
    forget(lake, gone)
    path = lake.rows(HISTORICAL.table, SECOND)
    cut_off(path) if how == "damaged" else path.unlink()
    report = rebuilt(lake)
    assert {day.day: day.lost for day in report} == {FIRST: (), SECOND: (1,)}
    check_daily(lake)
    assert coverage(lake, "tweet_id, day, outcome, rows, pulled_at, source is null") == [
        (1, FIRST, "stored", 4, at(1), False),
        (1, SECOND, "lost", 0, None, True),
        (2, FIRST, "stored", 4, at(2), False),
        (2, SECOND, "stored", 4, at(2), False),
    ]
    assert counts(lake) == full([1], 1, window=Window(FIRST, FIRST)) | full([2], 2)
    assert not any(day.lost for day in rebuilt(lake))
    pulled(lake, full([1], 3), at(3))
    publish_pulls(lake)
    assert counts(lake) == full([1], 3) | full([2], 2)
    assert {row[0] for row in coverage(lake, "outcome")} == {"stored"}


def test_of_a_lost_file_what_an_older_response_has_comes_back_and_is_named(lake):
    """Better older counts than none, if it is said."""
    pulled(lake, full([1], 1), at(1))
    gone = pulled(lake, full([1], 2), at(2))
    publish_pulls(lake)
    forget(lake, gone)
    lake.rows(HISTORICAL.table, SECOND).unlink()
    assert [day.lost for day in rebuilt(lake)] == [(), (1,)]
    assert coverage(lake, "day, rows, pulled_at, outcome") == [
        (FIRST, 4, at(2), "stored"),
        (SECOND, 4, at(1), "stored"),
    ]
    check_daily(lake)


def test_lost_counts_of_a_tweet_that_has_others_are_named(lake):
    gone = pulled(lake, full([1], 1), at(1))
    pulled(lake, full([1], 2, types=IMPRESSIONS), at(2), types=IMPRESSIONS)
    publish_pulls(lake)
    forget(lake, gone)
    emptied(lake.rows(HISTORICAL.table, SECOND))
    assert [day.lost for day in rebuilt(lake)] == [(), (1,)]
    assert coverage(lake, "day, rows") == [(FIRST, 4), (SECOND, 2)]


def test_a_day_all_of_whose_rows_are_lost_has_no_sums_either(lake):
    gone = pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)
    forget(lake, gone)
    lake.rows(HISTORICAL.table, SECOND).unlink()
    rebuilt(lake)
    check_daily(lake)
    assert counts(lake) == full([1], 1, window=Window(FIRST, FIRST))


def test_lost_lifetimes_are_named(lake):
    gone = observed(lake, TOTALS, totals({(1, "favorites"): 5}), at(1), tweets=[1])
    publish_pulls(lake)
    forget(lake, gone)
    emptied(lake.rows(TOTALS.table, TODAY))
    (report,) = rebuilt(lake)
    assert (report.lost, report.rows) == ((1,), 0)
    assert coverage(lake, "outcome, rows, pulled_at") == [("lost", 0, None)]


def test_damaged_last_hours_of_which_nothing_is_left_are_empty(history):
    shutil.rmtree(history.raw / RECENT.name)
    emptied(history.rows(RECENT.table, TODAY))
    rebuilt(history, "recent")
    assert contents(history, "recent") == {"recent": []}


def test_a_damaged_response_is_named_where_it_lies_and_leaves_all_as_it_was(history):
    before = parquet_files(history)
    path = next(history.raw.glob("historical/*/*/ann-2-*.json.zst"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LakeError, match=f"^{path} is damaged "):
        rebuilt(history)
    assert parquet_files(history) == before


def test_rows_that_neither_coverage_nor_raw_tells_of_are_covered_since_their_newest_pull(lake):
    pull = pulled(lake, full([1, 2], 10), at(1))
    publish_pulls(lake)
    observed(lake, TOTALS, totals({(1, "favorites"): 5}), at(2), tweets=[1])
    publish_pulls(lake)
    for lost in (lake.raw, lake.coverage(HISTORICAL, FIRST), lake.coverage(TOTALS, TODAY)):
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    before = counts(lake)
    rebuilt(lake)
    assert counts(lake) == before
    of_first = [row for row in coverage(lake, "tweet_id, day, outcome, rows, first_pulled_at") if row[1] != SECOND]
    assert of_first == [
        *((1, FIRST, "stored", 4, pull.started_at), (1, TODAY, "stored", 1, at(2))),
        (2, FIRST, "stored", 4, pull.started_at),
    ]


def test_a_folder_that_may_not_be_written_is_named_and_not_the_staging_folder(history, monkeypatch):
    really, closed = os.replace, history.root / "engagements"

    def replace(staged, place):
        if closed in Path(place).parents:
            raise PermissionError(13, "Permission denied", str(staged), None, str(place))
        really(staged, place)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(LakeError, match=f"^{closed}/day=2026-01-01/engagements.parquet cannot be used: Permission"):
        rebuilt(history, "engagements", first=FIRST, last=FIRST)
