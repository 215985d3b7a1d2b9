"""The catalog of a lake that is full or damaged: what was there stays, and the file that is at fault is named."""

import errno
import os
import re

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import WINDOW, at, full, pulled
from disk import small_files
from power_cuts import recorded
from tables import rebuilt

from engagement_pipeline.core import tables
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

FIRST, SECOND = WINDOW.days()
ALL = "select count(*) as n, sum(count)::bigint as total from engagements"


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "it's [a] lake")
    pulled(lake, full([1], 5, hours=range(24)), at(1))
    publish_pulls(lake)
    return lake


def catalogs(lake):
    return [path.name for path in lake.root.glob("*engagement.duckdb*")]


def size_of_a_catalog(lake):
    size = catalog.refresh(lake).stat().st_size
    lake.catalog.unlink()
    return size


def refused(lake):
    """Return the one line with which a refresh is refused."""
    with pytest.raises(LakeError) as caught:
        catalog.write(lake)
    message = str(caught.value)
    assert message.startswith(f"{lake.catalog} cannot be written: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "part", [0, 0.3, 1, *(pytest.param(part, marks=pytest.mark.faults) for part in (0.01, 0.05, 0.9))]
)
def test_a_catalog_that_does_not_fit_on_the_disk_leaves_the_old_one(lake, part):
    """At whichever write it ends; all that fits but the last byte is too little."""
    catalog.refresh(lake)
    before = lake.catalog.read_bytes()
    with small_files(int((len(before) - 1) * part)):
        assert refused(lake) == (
            f"{lake.catalog} cannot be written: File too large; what has landed or is published is kept. Make room or "
            "mend the rights, then run engagement catalog"
        )
    assert lake.catalog.read_bytes() == before
    assert catalogs(lake) == ["engagement.duckdb"]
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        assert connection.sql(ALL).fetchall() == [(96, 480)]


@pytest.mark.parametrize("part", [0.05, 1, *(pytest.param(part, marks=pytest.mark.faults) for part in (0, 0.9))])
def test_a_first_catalog_that_does_not_fit_leaves_none_and_the_next_is_whole(lake, part):
    limit = int((size_of_a_catalog(lake) - 1) * part)
    with small_files(limit):
        refused(lake)
    assert catalogs(lake) == []
    catalog.refresh(lake)
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        assert connection.sql(ALL).fetchall() == [(96, 480)]


def test_a_catalog_that_cannot_be_put_in_its_place_leaves_the_old_one(lake, monkeypatch):
    catalog.refresh(lake)
    before = lake.catalog.read_bytes()

    def no_space(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", no_space)
        assert "No space left on device" in refused(lake)
    assert lake.catalog.read_bytes() == before
    assert catalogs(lake) == ["engagement.duckdb"]


def emptied(path):
    path.write_bytes(b"")


def no_parquet(path):
    path.write_bytes(b"no parquet at all")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-50])


def other_columns(path):
    pq.write_table(pa.table({"x": [1]}), path)


def other_types(path):
    table = pq.read_table(path, partitioning=None)
    pq.write_table(pa.table({name: pa.repeat(pa.scalar("x"), len(table)) for name in table.column_names}), path)


DAMAGES = [emptied, no_parquet, cut_off]


def damage_named(path, ask, *arguments):
    """Return the one line in which a damaged file is named; that is not the user's fault."""
    with pytest.raises(LakeError, match=rf"\A{re.escape(str(path))} is damaged \([^\n]*\Z") as caught:
        ask(*arguments)
    assert caught.value.exit_code == 1
    return str(caught.value)


@pytest.mark.parametrize("damage", [*DAMAGES, other_columns, other_types])
@pytest.mark.parametrize("day", [FIRST, SECOND])
def test_a_query_names_the_damaged_file_and_how_to_mend_it(lake, damage, day):
    """The first is read for its columns, the others only once their rows are."""
    path = lake.rows(HISTORICAL.table, day)
    damage(path)
    message = damage_named(path, catalog.query, lake, ALL)
    assert message.endswith(f": engagement rebuild --from {day} --to {day} makes it anew from raw")


@pytest.mark.parametrize("place", [0, 1], ids=["the header of a page", "the values of a page"])
@pytest.mark.parametrize("day", [FIRST, SECOND])
def test_a_file_that_breaks_off_being_sound_in_its_middle_is_named(lake, day, place):
    """Of a damaged header DuckDB itself does not say which file it is in."""
    path = lake.rows(HISTORICAL.table, day)
    counts = pq.read_metadata(path).row_group(0).column(4)
    start = counts.data_page_offset + 40 * place
    content = bytearray(path.read_bytes())
    content[start : start + 20] = bytes(20)
    path.write_bytes(content)
    assert f"engagement rebuild --from {day} --to {day}" in damage_named(path, catalog.query, lake, ALL)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_refresh_names_the_damaged_file_and_leaves_the_old_catalog(lake, damage):
    catalog.refresh(lake)
    before = lake.catalog.read_bytes()
    damage(lake.rows(HISTORICAL.table, FIRST))
    damage_named(lake.rows(HISTORICAL.table, FIRST), catalog.write, lake)
    assert lake.catalog.read_bytes() == before
    assert catalogs(lake) == ["engagement.duckdb"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_that_raw_does_not_hold_needs_a_backup(lake, damage):
    pq.write_table(tables.SET_ASIDE.schema.empty_table(), lake.set_aside)
    damage(lake.set_aside)
    message = damage_named(lake.set_aside, catalog.query, lake, "select * from set_aside")
    assert "): put it back from a backup of the lake; without one, give it another name: " in message


def test_what_the_message_says_mends_a_damaged_day(lake):
    emptied(lake.rows(HISTORICAL.table, SECOND))
    damage_named(lake.rows(HISTORICAL.table, SECOND), catalog.query, lake, ALL)
    rebuilt(lake, first=SECOND, last=SECOND)
    assert catalog.query(lake, ALL).to_pylist() == [{"n": 96, "total": 480}]


@pytest.mark.parametrize("folder", ["a;b--c", "läke %20 {a,b}", "lake*", '"quoted"'])
def test_a_damaged_file_is_named_in_any_folder(tmp_path, folder):
    lake = Lake(tmp_path / folder)
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    path = lake.rows(HISTORICAL.table, SECOND)
    no_parquet(path)
    assert str(path) in damage_named(path, catalog.query, lake, ALL)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_parquet('{lake}/nothing.parquet')",
        "select * from read_parquet('{lake}/lake.json')",
        "select nothing from read_parquet('{day}')",
        "select * from read_json('{day}')",
        "select engagement_type::int from engagements",
        "select * from engagements where tweet_id = 'x'",
    ],
)
def test_a_query_that_asks_for_the_wrong_thing_is_the_user_s_to_mend(lake, sql):
    """Though DuckDB may name a sound file of the lake."""
    quoted = {"lake": lake.root, "day": lake.rows(HISTORICAL.table, FIRST)}
    sql = sql.format(**{name: str(path).replace("'", "''").replace("[a]", "[[]a]") for name, path in quoted.items()})
    with pytest.raises(InputError, match=r"^the query failed: "):
        catalog.query(lake, sql)


@pytest.mark.parametrize("table", [tables.ENGAGEMENTS, tables.COVERAGE], ids=str)
def test_a_query_does_not_pass_over_a_folder_that_cannot_be_read(lake, table):
    """DuckDB would, and count too few rows."""
    folder = next(lake.root.glob(table.glob)).parent
    folder.chmod(0)
    try:
        with pytest.raises(LakeError) as caught:
            catalog.query(lake, "select count(*) from engagements")
    finally:
        folder.chmod(0o755)
    assert str(caught.value).startswith(f"{folder} cannot be read by this user, so its rows would be missing: ")
    assert catalog.query(lake, "select count(*) from engagements").num_rows == 1


def test_a_power_cut_leaves_no_write_ahead_log_of_an_old_catalog_beside_a_new_one(lake):
    (log := lake.catalog.with_name(f"{lake.catalog.name}.wal")).write_bytes(b"log")
    lake.catalog.write_bytes(b"old")
    with recorded(lake.root) as recording:
        catalog.refresh(lake)
    for number, cut in enumerate(recording.cuts()):
        left = recording.restore(cut, lake.root.with_name(f"cut {number}"))
        assert (left / lake.catalog.name).read_bytes() in (b"old", lake.catalog.read_bytes())
        assert (left / lake.catalog.name).read_bytes() == b"old" or not (left / log.name).exists()


def test_a_query_over_a_file_that_is_not_given_says_so_in_the_error_of_a_query(lake, monkeypatch):
    path = lake.rows(tables.ENGAGEMENTS, SECOND)
    path.write_bytes(b"nothing that DuckDB can read")

    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(LocalStorage, "source", refuse)
    with pytest.raises(LakeError, match=f"{path.name} cannot be used: Permission denied; get permission for it"):
        catalog.query(lake, ALL)


def test_a_lack_of_memory_proves_no_damage(lake, monkeypatch):
    lake.rows(tables.ENGAGEMENTS, SECOND).write_bytes(b"nothing that DuckDB can read")

    def lack(*_, **__):
        raise pa.ArrowMemoryError("malloc failed")

    monkeypatch.setattr(pq, "read_table", lack)
    monkeypatch.setattr(pq, "read_schema", lack)
    with pytest.raises(InputError, match="the query failed: "):
        catalog.query(lake, ALL)
