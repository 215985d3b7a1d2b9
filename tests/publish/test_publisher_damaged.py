"""Publishing past a damaged file: its day alone waits, nothing that landed is lost, and a mended day is taken up."""

import shutil

import pyarrow as pa
import pytest
from bodies import WINDOW, at, full, observed, pulled, totals
from tables import counts, file_of, rebuilt

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.errors import LakeError, PublishError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import ENGAGEMENTS, REVISIONS
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import read
from engagement_pipeline.publish import day_file
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

FIVE = Window(WINDOW.first, WINDOW.first.replace(day=5))
DAYS = [*FIVE.days()]
MIDDLE = DAYS[2]


@pytest.fixture
def lake(tmp_path, each_source):
    """A lake with five days published, and newer answers for them all."""
    lake = Lake(tmp_path / "lake").of(each_source)
    pulled(lake, full([1, 2], 1, window=FIVE), at(1), window=FIVE)
    publish_pulls(lake)
    pulled(lake, full([2, 3], 2, window=FIVE), at(2), window=FIVE)
    return lake


TRUTH = full([1], 1, window=FIVE) | full([2, 3], 2, window=FIVE)


def of_days(lake, days):
    """Return what the files of some days hold, by cell."""
    tables = [read(lake, file_of(lake, "rows", day), ENGAGEMENTS).to_pylist() for day in days]
    return {tuple(row.values())[:4]: row["count"] for rows in tables for row in rows}


def truth_of(days):
    return {cell: count for cell, count in TRUTH.items() if cell[2] in days}


def old_ones(lake):
    """Return the old counts that revisions tell of: the Tweet, the count, and when it was pulled."""
    table = catalog.query(lake, "select distinct tweet_id, old, old_pulled_at from revisions")
    return {tuple(row.values()) for row in table.to_pylist()}


def failed_days(lake):
    with pytest.raises(PublishError) as caught:
        publish_pulls(lake)
    return sorted(caught.value.failures)


@pytest.mark.parametrize("table", ["rows", "coverage"])
@pytest.mark.parametrize("days", [[MIDDLE], DAYS[:1], DAYS[-1:], DAYS[1:4:2], DAYS], ids=len)
def test_the_days_around_damaged_ones_are_published(lake, table, days):
    good = [day for day in DAYS if day not in days]
    for day in days:
        file_of(lake, table, day).write_bytes(b"no parquet")
    assert failed_days(lake) == days
    assert of_days(lake, good) == truth_of(good)


def test_a_day_that_turns_out_to_be_damaged_half_way_is_left_as_it_is(lake):
    """Its footer is whole, so that this is seen once the other days are half written."""
    path = lake.rows(ENGAGEMENTS, MIDDLE)
    content = path.read_bytes()
    damage = content[:4] + bytes(40) + content[44:]
    path.write_bytes(damage)
    assert failed_days(lake) == [MIDDLE]
    assert path.read_bytes() == damage
    good = [day for day in DAYS if day != MIDDLE]
    assert of_days(lake, good) == truth_of(good)


def test_rows_of_another_day_are_damage_and_nothing_is_revised_against_them(lake):
    shutil.copy(lake.rows(ENGAGEMENTS, DAYS[0]), lake.rows(ENGAGEMENTS, MIDDLE))
    assert failed_days(lake) == [MIDDLE]
    (revised,) = (read(lake, path, REVISIONS) for path in lake.root.glob("revisions/*/*.parquet"))
    assert {*revised["day"].to_pylist()} == {*DAYS} - {MIDDLE}


def test_the_next_publication_takes_a_mended_day_up(lake):
    path = lake.rows(ENGAGEMENTS, MIDDLE)
    content = path.read_bytes()
    path.write_bytes(b"")
    failed_days(lake)
    assert [pull.started_at for pull in raw.open_pulls(lake)] == [at(2)]
    path.write_bytes(content)
    publish_pulls(lake)
    assert counts(lake) == TRUTH
    assert raw.open_pulls(lake) == []


def test_pulls_that_do_not_hold_the_damaged_day_are_done_with(lake):
    lake.rows(ENGAGEMENTS, MIDDLE).write_bytes(b"")
    last = Window(FIVE.last, FIVE.last)
    pulled(lake, full([1], 3, window=last), at(3), window=last)
    failed_days(lake)
    assert [pull.started_at for pull in raw.open_pulls(lake)] == [at(2)]
    assert {count for cell, count in of_days(lake, [FIVE.last]).items() if cell[0] == 1} == {3}


def test_a_damaged_day_of_totals_does_not_keep_history_from_being_published(lake):
    observed(lake, TOTALS, totals({(1, "favorites"): 5}), at(0), tweets=[1])
    lake.coverage(TOTALS, at(0).date()).parent.mkdir(parents=True)
    lake.coverage(TOTALS, at(0).date()).write_bytes(b"")
    assert failed_days(lake) == [at(0).date()]
    assert counts(lake) == TRUTH
    assert [pull.endpoint for pull in raw.open_pulls(lake)] == [TOTALS]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ([MIDDLE], "2026-01-03 is not published, all other days are"),
        (DAYS[2:4], "2 days are not published (2026-01-03, 2026-01-04), all others are; the first"),
    ],
)
def test_the_message_names_the_days_the_first_file_and_what_mends_it(lake, days, told):
    for day in days:
        lake.rows(ENGAGEMENTS, day).write_bytes(b"")
    with pytest.raises(LakeError) as caught:
        publish_pulls(lake)
    assert str(caught.value).startswith(f"{told}: {lake.rows(ENGAGEMENTS, MIDDLE)} is damaged (")
    assert str(caught.value).endswith(f": engagement rebuild --from {MIDDLE} --to {MIDDLE} makes it anew from raw")


@pytest.mark.parametrize("kind", ["rows", "coverage"])
def test_a_day_of_which_an_older_copy_was_put_back_waits_until_it_is_made_anew(lake, kind):
    older = file_of(lake, kind, MIDDLE)
    content = older.read_bytes()
    publish_pulls(lake)
    older.write_bytes(content)
    pulled(lake, full([1, 2, 3], 3, window=FIVE), at(3), window=FIVE)
    with pytest.raises(PublishError, match=f"not of the same time.*engagement rebuild --from {MIDDLE} --to {MIDDLE} "):
        publish_pulls(lake)
    rebuilt(lake, first=MIDDLE, last=MIDDLE)
    publish_pulls(lake)
    assert counts(lake) == full([1, 2, 3], 3, window=FIVE)
    assert old_ones(lake) == {(1, 1, at(1)), (2, 1, at(1)), (2, 2, at(2)), (3, 2, at(2))}


def test_a_lack_of_memory_is_no_damage(lake, monkeypatch):
    def lack(*_):
        raise pa.ArrowMemoryError("malloc failed")

    monkeypatch.setattr(day_file, "read_row_group", lack)
    with pytest.raises(MemoryError):
        publish_pulls(lake)
    monkeypatch.undo()
    publish_pulls(lake)
    assert of_days(lake, DAYS) == truth_of(DAYS)
