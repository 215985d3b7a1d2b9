"""Every reader that the README names reads every table's folder as it is, with the view's columns and rows."""

from datetime import date

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest
from histories import live

from engagement_pipeline.core.tables import ENGAGEMENTS, TABLES
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

FOLDERS = ("engagements", "daily", "coverage", "revisions", "totals")


def with_pandas(folder):
    frame = pd.read_parquet(folder)
    return [*frame.columns], frame.to_dict("records")


def with_pyarrow(folder):
    table = ds.dataset(folder, partitioning="hive").to_table()
    return table.column_names, table.to_pylist()


def with_duckdb(folder):
    found = duckdb.sql(f"from '{folder}/**/*.parquet'").to_arrow_table()
    return found.column_names, found.to_pylist()


READERS = [with_pandas, with_pyarrow, with_duckdb]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("lakes") / "lake")
    live(lake)
    return lake


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_a_folder_is_read_as_it_is(lake, read, name):
    table = TABLES[name]
    columns, rows = read(str(lake.root / name))
    stored = {column.name for column in table.columns if not column.derived}
    assert {*columns} == stored | {*table.file_schema.names}
    of_view = catalog.query(lake, f"select {', '.join(table.key)} from {name}").to_pylist()

    def keys(some):
        return sorted(tuple(str(row[column])[:10] for column in table.key) for row in some)

    assert keys(rows) == keys(of_view)


def test_an_hour_in_seconds_fits_in_pandas(lake):
    frame = pd.read_parquet(lake.root / "engagements")
    assert (frame["hour"] * 3600).max() == 23 * 3600


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize("name", ["engagements", "coverage"])
def test_the_files_of_a_day_s_folder_hold_its_date(lake, read, name):
    _, rows = read(str(lake.root / name))
    assert rows
    assert all(row["date"] == date.fromisoformat(str(row["day"])) for row in rows)


def test_one_file_alone_tells_its_date(lake):
    (path, *_) = sorted(lake.root.glob(ENGAGEMENTS.glob))
    frame = pd.read_parquet(path, partitioning=None)
    assert {*frame["date"]} == {date.fromisoformat(path.parent.name.removeprefix("day="))}
    assert "day" not in frame.columns
