"""When the catalogue is written again: where one written now would be another, and else not."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import at, full, pulled

from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog, files, seal


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    catalog.refresh(lake)
    return lake


def is_written_again(lake):
    before = lake.catalog.stat().st_ino
    catalog.refresh(lake)
    assert seal.is_current(lake)
    return lake.catalog.stat().st_ino != before


def publish(lake, now=1):
    pulled(lake, full([1], 5), at(now))
    publish_pulls(lake)


def save_roster(lake, **columns):
    posted = pa.array([at(1)], pa.timestamp("ms", "UTC"))
    pq.write_table(
        pa.table({"tweet_id": [1], "handle": ["ann"], "posted_at": posted, "followed": [True], **columns}), lake.tweets
    )


def test_it_is_left_alone_where_nothing_would_change(lake):
    assert not is_written_again(lake)


def test_it_is_left_alone_by_more_rows_of_the_same_tables(lake):
    publish(lake)
    catalog.refresh(lake)
    publish(lake, now=2)
    assert not is_written_again(lake)


def test_it_is_written_once_a_table_has_its_first_file(lake):
    publish(lake)
    assert is_written_again(lake)


def test_it_is_written_once_the_roster_has_another_column(lake):
    save_roster(lake)
    catalog.refresh(lake)
    save_roster(lake, campaign=["spring"])
    assert is_written_again(lake)
    assert catalog.query(lake, "select campaign from tweets").to_pylist() == [{"campaign": "spring"}]


def test_it_is_written_once_a_stand_in_is_gone(lake):
    files.stand_in(lake, TABLES["totals"]).unlink()
    assert is_written_again(lake)


def test_it_is_written_once_its_bytes_are_others(lake):
    lake.catalog.chmod(0o644)
    with lake.catalog.open("ab") as file:
        file.write(b" ")
    assert is_written_again(lake)


def test_it_is_written_once_somebody_wrote_into_it(lake):
    seal.written_into(lake.catalog).touch()
    assert is_written_again(lake)


def test_it_is_written_where_the_note_is_lost(lake):
    lake.storage.forget(seal.NOTE)
    assert is_written_again(lake)


def test_it_is_written_by_another_duckdb(lake, monkeypatch):
    monkeypatch.setattr("duckdb.__version__", "9.9.9")
    assert is_written_again(lake)


def test_it_is_written_in_the_place_to_which_the_lake_was_moved(lake, tmp_path):
    moved = Lake(tmp_path / "moved")
    lake.root.rename(moved.root)
    assert is_written_again(moved)
