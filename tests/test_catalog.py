"""The catalog: views over Parquet that nobody's lock blocks, in any path, empty or full."""

import subprocess
import sys
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import WINDOW, at, full, pulled

from engagement_pipeline import catalog
from engagement_pipeline.errors import InputError, LakeError
from engagement_pipeline.lake import Lake
from engagement_pipeline.metrics import METRICS
from engagement_pipeline.publish import publish

VIEWS = ("coverage", "daily", "engagements", "metrics", "tweets")
ALL = "select count(*) as n, sum(count)::bigint as total from engagements"
# Opens the file, answers each line it reads with what the query says, and ends with its input.
READER = (
    "import duckdb, sys\n"
    "connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'read-only')\n"
    "while True:\n"
    "    print(connection.sql('select count(*) from engagements').fetchall()[0][0], flush=True)\n"
    "    if not sys.stdin.readline(): break\n"
)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


def publish_full(lake, tweets, count=5, now=1):
    pulled(lake, full(tweets, count), at(now))
    publish(lake)


def save_tweets(lake):
    posted = pa.array([at(1), None], pa.timestamp("ms", "UTC"))
    table = pa.table({"tweet_id": pa.array([1, 2]), "handle": ["ann", "bob"], "posted_at": posted})
    pq.write_table(table, lake.tweets)


def one(lake, sql):
    return tuple(catalog.query(lake, sql).to_pylist()[0].values())


def types(lake, view):
    described = catalog.query(lake, f"describe {view}").to_pylist()
    return {row["column_name"]: row["column_type"] for row in described}


def in_file(lake, sql):
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        return connection.sql(sql).fetchall()


@contextmanager
def reader(lake, mode):
    """Hold engagement.duckdb open in another process; give a function that asks it for its rows."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(lake.catalog), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        counted = [int(process.stdout.readline())]

        def ask():
            process.stdin.write("\n")
            process.stdin.flush()
            counted.append(int(process.stdout.readline()))
            return counted[-1]

        yield ask
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_an_empty_lake_has_every_view_and_no_rows(lake):
    for view in set(VIEWS) - {"metrics"}:
        assert catalog.query(lake, f"select * from {view}").num_rows == 0


@pytest.mark.parametrize("view", sorted(set(VIEWS) - {"metrics"}))
def test_a_view_has_the_same_columns_empty_and_full(lake, view):
    """So that a query written on the first day is right on all days."""
    lake.open()
    empty = types(lake, view)
    publish_full(lake, [1])
    save_tweets(lake)
    assert types(lake, view) == empty
    assert catalog.query(lake, f"select * from {view}").num_rows > 0


def test_a_published_pull_is_in_the_views_at_once(lake):
    publish_full(lake, [1, 2])
    assert one(lake, ALL) == (16, 80)


def test_the_day_is_a_date_with_the_rows_of_that_day(lake):
    publish_full(lake, [1])
    assert types(lake, "engagements")["day"] == "DATE"
    assert catalog.query(lake, "select distinct day from engagements order by day")["day"].to_pylist() == [
        *WINDOW.days()
    ]


def test_daily_is_the_sum_of_the_hours(lake):
    publish_full(lake, [1, 2], 7)
    daily = catalog.query(lake, "select * from daily order by all").to_pylist()
    by_hand = catalog.query(
        lake,
        "select tweet_id, engagement_type, day, sum(count)::bigint as count from engagements group by all order by all",
    ).to_pylist()
    assert daily == by_hand
    assert {row["count"] for row in daily} == {14}
    assert types(lake, "daily")["count"] == "BIGINT"


def test_the_metrics_view_explains_every_type(lake):
    rows = catalog.query(lake, "select * from metrics").to_pylist()
    assert [row["engagement_type"] for row in rows] == [metric.name for metric in METRICS]
    assert rows[0]["endpoints"] == [*METRICS[0].endpoints]


def test_times_are_shown_in_utc(lake):
    assert one(lake, "select current_setting('timezone')") == ("UTC",)


def test_the_file_holds_the_same_views_and_no_data(lake):
    publish_full(lake, [1])
    assert catalog.refresh(lake) == lake.catalog
    assert in_file(lake, "select view_name from duckdb_views() where not internal order by 1") == [(v,) for v in VIEWS]
    assert in_file(lake, "select count(*) from duckdb_tables()") == [(0,)]
    assert in_file(lake, ALL) == [(8, 40)]


@pytest.mark.parametrize("mode", ["read-only", "read-write"])
def test_a_reader_in_another_process_blocks_nobody_and_sees_what_is_new(lake, mode):
    publish_full(lake, [1])
    catalog.refresh(lake)
    with reader(lake, mode) as ask:
        publish_full(lake, [2], now=2)
        catalog.refresh(lake)
        assert one(lake, ALL) == (16, 80)
        assert in_file(lake, ALL) == [(16, 80)]
        assert ask() == 16
    catalog.refresh(lake)
    assert in_file(lake, ALL) == [(16, 80)]


def test_the_file_is_replaced_in_one_step(lake):
    """A new file under the old name, and nothing beside it."""
    publish_full(lake, [1])
    catalog.refresh(lake)
    before = lake.catalog.stat().st_ino
    catalog.refresh(lake)
    assert lake.catalog.stat().st_ino != before
    assert [path.name for path in lake.root.glob("*engagement.duckdb*")] == ["engagement.duckdb"]


def test_a_refresh_that_fails_leaves_the_old_file(lake, monkeypatch):
    publish_full(lake, [1])
    catalog.refresh(lake)
    before = lake.catalog.read_bytes()

    def no_space(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", no_space)
        with pytest.raises(LakeError, match=r"cannot be written: .*No space left on device"):
            catalog.refresh(lake)
    assert lake.catalog.read_bytes() == before
    assert [path.name for path in lake.root.glob("*engagement.duckdb*")] == ["engagement.duckdb"]


def test_what_somebody_wrote_into_the_file_and_left_there_does_not_block_the_next_one(lake):
    """A writer that was killed leaves a log beside the file; the new file must open without it."""
    publish_full(lake, [1])
    catalog.refresh(lake)
    write = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('create table t (x int)'); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", write, str(lake.catalog)], check=False).returncode == 9
    assert lake.catalog.with_name("engagement.duckdb.wal").exists()
    catalog.refresh(lake)
    assert in_file(lake, ALL) == [(8, 40)]


@pytest.mark.parametrize("name", ["it's a lake", "[x] lake", "lake*", "läke %20 {a,b}", "a;b--c"])
def test_any_folder_name_can_hold_a_lake(tmp_path, name):
    """One that reads as SQL or as a glob too."""
    lake = Lake(tmp_path / name / "lake")
    publish_full(lake, [1])
    save_tweets(lake)
    catalog.refresh(lake)
    assert one(lake, ALL) == (8, 40)
    assert in_file(lake, ALL) == [(8, 40)]
    assert one(lake, "select count(*) from tweets") == (2,)


def test_the_views_do_not_depend_on_the_folder_they_are_asked_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lake = Lake(tmp_path.relative_to(tmp_path) / "lake")
    publish_full(lake, [1])
    catalog.refresh(lake)
    (tmp_path / "elsewhere").mkdir()
    found = tmp_path / "lake" / "engagement.duckdb"
    monkeypatch.chdir(tmp_path / "elsewhere")
    with duckdb.connect(str(found), read_only=True) as connection:
        assert connection.sql(ALL).fetchall() == [(8, 40)]


def test_a_query_makes_no_lake_where_there_is_none(tmp_path):
    """A mistyped folder must not answer with nothing."""
    with pytest.raises(InputError, match=f"^there is no lake in {tmp_path}: pull first"):
        catalog.query(Lake(tmp_path), "select 1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sql", ["selec 1", "select * from nothing", "select 1/'x'", "select error('no')"])
def test_a_query_that_fails_is_the_user_s_to_mend(lake, sql):
    with pytest.raises(InputError, match="the query failed: ") as caught:
        catalog.query(lake, sql)
    assert "\n" not in str(caught.value)


def test_a_statement_without_an_answer_gives_an_empty_table(lake):
    assert catalog.query(lake, "set threads = 1").num_rows == 0


@pytest.mark.parametrize("ask", [catalog.refresh, lambda lake: catalog.query(lake, ALL)], ids=["refresh", "query"])
def test_a_damaged_file_is_named_and_is_no_empty_view(lake, ask):
    publish_full(lake, [1])
    for day in WINDOW.days():
        lake.engagements(day).write_bytes(b"no parquet at all")
    with pytest.raises(LakeError, match=r"engagements\.parquet.*move the file away and pull its days again"):
        ask(lake)
