"""Where a reader's views find the lake's files, and which files count as rows."""

import json
import re
import shutil

import duckdb
import pyarrow.parquet as pq
import pytest
from bodies import at, full, observed, pulled, totals
from histories import live

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog, files

ROWS = 'select count(*), sum("count")::bigint from {}engagements'
HERE, ATTACHED = ROWS.format(""), ROWS.format("lake.")
FIRST = "engagements/day=2026-01-01"


@pytest.fixture
def original(tmp_path):
    """A lake with two days, and its catalogue."""
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    catalog.refresh(lake)
    return lake


def opened(lake, sql=HERE):
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def attached(lake, sql=ATTACHED):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{lake.catalog}' as lake (read_only)")
        return connection.execute(sql).fetchall()


@pytest.fixture
def copy(original):
    """A copy of the lake that lacks one of its days."""
    copy = Lake(shutil.copytree(original.root, original.root.parent / "copy"))
    shutil.rmtree(copy.root / FIRST)
    return copy


def test_a_copy_answers_for_itself(original, copy):
    assert opened(original) == [(8, 40)]
    assert opened(copy) == [(4, 20)]


@pytest.mark.marts
def test_a_copy_that_is_attached_refuses_and_names_the_command(copy):
    for sql in (ROWS.format("lake."), "from lake.engagements_now", "from lake.engagements_as_of('2030-01-01')"):
        with pytest.raises(duckdb.Error, match="if the lake was moved or copied, run: engagement catalog --root DIR"):
            attached(copy, sql)


def test_two_copies_in_one_session_answer_for_neither(original, copy):
    with duckdb.connect(str(original.catalog), read_only=True) as connection:
        connection.execute(f"attach '{copy.catalog}' as copy (read_only)")
        for view in ("engagements", "copy.engagements"):
            with pytest.raises(duckdb.Error, match="run: engagement catalog"):
                connection.execute(f"from {view}").fetchall()


def test_a_session_with_a_folder_for_temporary_files_of_its_own_is_not_misled(original, copy):
    with duckdb.connect(str(copy.catalog), read_only=True) as connection:
        connection.execute("set temp_directory = '/tmp'")
        with pytest.raises(duckdb.Error, match="run: engagement catalog"):
            connection.execute("from engagements").fetchall()
    with duckdb.connect(str(original.catalog), read_only=True) as connection:
        connection.execute("set temp_directory = '/tmp'")
        assert connection.execute(HERE).fetchall() == [(8, 40)]


def test_a_moved_lake_answers_for_itself_and_names_the_command_where_it_cannot(original):
    moved = Lake(original.root.rename(original.root.parent / "moved [x]"))
    assert opened(moved) == [(8, 40)]
    with pytest.raises(duckdb.Error, match="run: engagement catalog"):
        attached(moved)
    catalog.refresh(moved)
    assert attached(moved) == [(8, 40)]


def test_lakes_that_were_written_in_their_places_are_asked_together(original, copy):
    catalog.refresh(copy)
    with duckdb.connect() as connection:
        for lake, name in ((original, "one"), (copy, "two")):
            connection.execute(f"attach '{lake.catalog}' as {name} (read_only)")
        assert connection.execute(ROWS.format("one.")).fetchall() == [(8, 40)]
        assert connection.execute(ROWS.format("two.")).fetchall() == [(4, 20)]


def test_the_folder_of_the_process_does_not_matter(original, monkeypatch):
    monkeypatch.chdir(original.root)
    here = Lake(original.root.relative_to(original.root))
    assert opened(here) == [(8, 40)]


@pytest.fixture
def full_of_copies(history):
    """A lake with a copy beside each file and each folder that holds one, as sync tools leave them."""
    for table in TABLES.values():
        found = [path for path in history.root.glob(table.glob) if path.suffix == ".parquet"]
        for path in found:
            for name in (f"{path.stem} (conflicted copy){path.suffix}", f"{path.stem}_1{path.suffix}"):
                shutil.copy(path, path.with_name(name))
        for folder in {path.parent for path in found} - {history.root}:
            if "=" in folder.name:
                for name in (f"{folder.name} copy", f"{folder.name}.bak"):
                    shutil.copytree(folder, folder.with_name(name))
    shutil.copytree(
        history.root / "coverage" / "endpoint=historical", history.root / "coverage" / "endpoint=historical copy"
    )
    return history


@pytest.mark.parametrize("table", ["engagements", "daily", "revisions", "totals", "recent", "coverage", "set_aside"])
def test_a_copy_beside_a_file_doubles_no_row(past, full_of_copies, table):
    count = f"select count(*) as n from {table}"
    wanted = catalog.query(Lake(past), count).to_pylist()
    assert wanted[0]["n"] > 0
    assert catalog.query(full_of_copies, count).to_pylist() == wanted
    catalog.refresh(full_of_copies)
    assert opened(full_of_copies, count) == [(wanted[0]["n"],)]


UNREAL = (
    (r"\d{4}-\d\d(?!\d)", ("2026-13", "2026-00", "9999-99")),
    (r"\d{4}-\d\d-\d\d", ("2026-02-30", "2026-04-00")),
    (r"T\d\d", ("T99",)),
)
DATED = ("engagements", "daily", "revisions", "totals", "coverage", "requests")


def copy_to_no_days(lake, table):
    """Copy each file of a table to the names of days, months and moments that there are not; return the files."""
    written = [*lake.root.glob(table.glob)]
    for path in written:
        name = str(path.relative_to(lake.root))
        for pattern, others in UNREAL:
            for copy in (lake.root / re.sub(pattern, other, name) for other in others):
                if copy != path:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, copy)
    return written


@pytest.fixture
def logged(history):
    """A lake with a past and a request in its log."""
    asked = {"asked_at": "2026-01-31T01:00:00+00:00", "endpoint": "historical", "tweet_ids": ["1"], "tries": 1}
    history.requests.mkdir()
    (history.requests / "2026-01.jsonl").write_text(json.dumps(asked) + "\n")
    return history


@pytest.mark.parametrize("table", DATED)
def test_a_file_of_a_day_that_there_is_not_holds_no_row(logged, table):
    count = f"select count(*) from {table}"
    with catalog.connect(logged) as connection:
        wanted = connection.execute(count).fetchall()
    assert wanted != [(0,)]
    written = copy_to_no_days(logged, TABLES[table])
    assert logged.storage.find(TABLES[table].glob) == sorted(written)
    with catalog.connect(logged) as connection:
        assert connection.execute(count).fetchall() == wanted
    catalog.refresh(logged)
    assert opened(logged, count) == wanted


@pytest.mark.parametrize("table", DATED)
def test_a_table_with_files_of_no_days_alone_is_empty(logged, table):
    for path in copy_to_no_days(logged, TABLES[table]):
        path.unlink()
    count = f"select count(*) from {table}"
    with catalog.connect(logged) as connection:
        assert connection.execute(count).fetchall() == [(0,)]
    catalog.refresh(logged)
    assert opened(logged, count) == [(0,)]


def test_each_glob_finds_the_files_that_the_lake_writes(history):
    """So that the exact names are those of the lake."""
    written = {path for path in history.root.rglob("*.parquet") if path.relative_to(history.root).parts[0][0] != "."}
    assert {path for table in TABLES.values() for path in history.root.glob(table.glob)} >= written


@pytest.mark.marts
def test_a_connection_sees_the_first_rows_of_every_table(tmp_path):
    lake = Lake(tmp_path / "lake")
    catalog.refresh(lake)
    views = ("engagements", "daily", "coverage", "totals", "recent", "set_aside", "revisions", "engagements_now")
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        assert {connection.execute(f"select count(*) from {view}").fetchall()[0][0] for view in views} == {0}
        live(lake)
        assert all(connection.execute(f"select count(*) from {view}").fetchall()[0][0] for view in views)


def test_a_connection_of_before_and_one_of_after_the_first_rows_agree(tmp_path):
    lake = Lake(tmp_path / "lake")
    catalog.refresh(lake)
    with duckdb.connect(str(lake.catalog), read_only=True) as before:
        described = before.execute("describe totals").fetchall()
        observed(lake, TOTALS, totals({(1, "favorites"): 7}), at(2), tweets=[1])
        publish_pulls(lake)
        catalog.refresh(lake)
        assert before.execute("from totals").fetchall() == opened(lake, "from totals")
        assert before.execute("describe totals").fetchall() == described == opened(lake, "describe totals")


ZONES = ("UTC", "Pacific/Kiritimati", "America/New_York")
MOMENTS = (
    "'2026-02-01'",
    "date '2026-02-01'",
    "timestamp '2026-02-01 01:00:00'",
    "timestamptz '2026-02-01 01:30:00+00'",
    "'2026-02-01 03:30:00+02'",
    "'2026-02-01T02:30:00Z'",
)


@pytest.mark.marts
@pytest.mark.parametrize(
    "sql",
    [
        *(f"from engagements_as_of({moment}) order by all" for moment in MOMENTS),
        *(f"from {name} order by all" for name in ("coverage", "revisions", "totals", "recent", "settling")),
        "from handles_queried order by all",
        "from monthly_spend order by all",
        "select (asked_at at time zone 'UTC')::date, count(*) from coverage group by all order by all",
    ],
)
def test_a_session_s_time_zone_changes_no_answer(history, sql):
    catalog.refresh(history)
    found = []
    for zone in ZONES:
        with duckdb.connect(str(history.catalog), read_only=True) as connection:
            connection.execute(f"set timezone = '{zone}'")
            found.append(connection.execute(sql).fetchall())
    assert found == [found[0]] * len(ZONES)


@pytest.mark.marts
def test_a_moment_without_a_zone_is_utc_and_one_with_a_zone_is_that_instant(history):
    def at_that_time(moment):
        return catalog.query(history, f"from engagements_as_of({moment}) order by all").to_pylist()

    assert at_that_time("'2026-02-01 02:00:00+01'") == at_that_time("'2026-02-01 01:00:00'")
    assert at_that_time("'2026-02-01 01:00:00'") != at_that_time("'2026-02-01 02:00:00'")


def test_a_catalogue_for_another_place_reads_that_place(original, copy, tmp_path):
    output = tmp_path / "readers.duckdb"
    assert catalog.elsewhere(original, root=copy.root, output=output) == output
    with duckdb.connect(str(output), read_only=True) as connection:
        assert connection.execute(HERE).fetchall() == [(4, 20)]
    catalog.elsewhere(original, root=tmp_path / "not here", output=output)
    with (
        duckdb.connect(str(output), read_only=True) as connection,
        pytest.raises(duckdb.Error, match=r"not here.*run: engagement catalog"),
    ):
        connection.execute("from engagements")


def test_a_catalogue_that_has_no_folder_is_told(original, tmp_path):
    with pytest.raises(LakeError, match="cannot be written"):
        catalog.elsewhere(original, root=original.root, output=tmp_path / "none" / "x.duckdb")


def test_the_catalogue_is_read_only(original):
    assert original.catalog.stat().st_mode & 0o222 == 0
    assert catalog.refresh(original).stat().st_mode & 0o222 == 0


def test_a_stand_in_holds_the_types_of_its_table_and_no_rows(tmp_path):
    lake = Lake(tmp_path / "lake")
    catalog.refresh(lake)
    found = {path.name: pq.read_table(path, partitioning=None) for path in lake.root.rglob("*.parquet")}
    assert {table.num_rows for table in found.values()} == {0}
    assert found["totals.parquet"].schema.names == TABLES["totals"].schema.names
    assert all(path.relative_to(lake.root).parts[0].startswith(".") for path in lake.root.rglob("*.parquet"))


def test_a_select_brings_the_files_that_it_reads():
    sources = {name: f"select {name}" for name in TABLES}
    sql = files.with_files("select tweets from daily join coverage using (day)", sources)
    assert sql.startswith(
        "with daily as not materialized (select daily), coverage as not materialized (select coverage)"
    )


def test_a_select_brings_the_marts_that_it_reads_after_what_these_read():
    sources = {
        "daily": "select 1",
        "tweets": "select 2",
        "wide": "from daily",
        "sums": "from wide",
        "others": "select 3",
    }
    assert files.with_files("from sums", sources) == (
        "with daily as not materialized (select 1), wide as not materialized (from daily), "
        "sums as not materialized (from wide) select * from (\nfrom sums\n)"
    )
