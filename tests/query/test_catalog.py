"""The catalog: views over Parquet that nobody's lock blocks, in any path, empty or full."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import v2_bodies
from bodies import WINDOW, at, full, observed, parts, pulled, totals
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.core.endpoints import ANALYTICS_TOTALS, HISTORICAL, MEDIA, RECENT, TOTALS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.model import Exchange, Request, Window
from engagement_pipeline.core.shape import KEY, News
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake import request_log, shapes
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import write
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_views

pytestmark = pytest.mark.marts

VIEWS = sorted([*TABLES, *(view.name for view in all_views())])
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


LAST_DAY = Window(WINDOW.last, WINDOW.last)


def publish_full(lake, tweets, count=5, now=1):
    pulled(lake, full(tweets, count), at(now))
    publish_pulls(lake)


def save_tweets(lake, *, handles=("ann", "bob"), **further):
    posted = pa.array([at(1) - timedelta(days=31), None], pa.timestamp("ms", "UTC"))
    columns = {"tweet_id": [1, 2], "handle": [*handles], "posted_at": posted, "followed": [True, False]}
    pq.write_table(pa.table(columns | further), lake.tweets)


def fill(lake):
    """Put something into every view."""
    save_tweets(lake)
    pulled(lake, full([1], 4), at(1) - timedelta(days=14))
    pulled(lake, full([1], 5), at(1), tweets=[1, 9], unavailable_tweet_ids=["9"])
    observed(lake, TOTALS, totals({(1, "favorites"): 7}), at(2), tweets=[1])
    observed(lake, RECENT, parts(full([1], 3, window=LAST_DAY)), at(3), tweets=[1])
    publish_pulls(lake)
    log_request(lake)
    asked = Request(endpoint=TOTALS, handle="ann", tweet_ids=(1, 9), types=("favorites",), window=None)
    shapes.learn(lake.storage, [News(KEY, "$", "bookmarks", "5")], asked, asked_at=at(2), kept=True)


def log_request(lake, *, month=2, handle="ann", status=200):
    request = Request(endpoint=TOTALS, handle=handle, tweet_ids=(1, 9), types=("favorites",), window=None)
    asked_at = at(2).replace(month=month)
    exchange = Exchange(request=request, asked_at=asked_at, status=status, tries=1, size=99, seconds=0.5)
    request_log.write(lake, exchange)


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
        assert process.wait(timeout=60) == 0


def test_an_empty_lake_has_every_view_and_no_rows(lake):
    _, rows = at_once(lake)
    assert {view for view, number in rows.items() if number} == {"metrics"}


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """The types of each view, empty and full, and how many rows it then has."""
    lake = Lake(tmp_path_factory.mktemp("described") / "lake")
    lake.open()
    empty, _ = at_once(lake)
    fill(lake)
    v2_bodies.pulled(lake, full([1], 6), at(4))
    v2_bodies.pulled(lake, {(1, "impressions", WINDOW.first, 0): 24}, at(5), endpoint=ANALYTICS_TOTALS)
    v2_bodies.pulled(lake, full([5], 6, types=("video_views",)), at(4), endpoint=MEDIA)
    filled, rows = at_once(lake)
    return {view: (empty[view], filled[view], rows[view]) for view in VIEWS}


def at_once(lake):
    """Return the types of all views, and how many rows each has."""
    with catalog.connect(lake) as connection:
        told = {view: connection.execute(f"describe {view}").fetchall() for view in VIEWS}
        rows = {view: connection.execute(f"select count(*) from {view}").fetchall()[0][0] for view in VIEWS}
    return {view: {name: kind for name, kind, *_ in columns} for view, columns in told.items()}, rows


@pytest.mark.parametrize("view", sorted(set(VIEWS) - {"metrics", "tweet_media"}))  # which reads the roster
def test_a_view_has_the_same_columns_empty_and_full(described, view):
    """So that a query written on the first day is right on all days."""
    empty, filled, rows = described[view]
    assert filled == empty
    assert rows > 0


def test_a_published_pull_is_in_the_views_at_once(lake):
    publish_full(lake, [1, 2])
    assert one(lake, ALL) == (16, 80)


def test_the_day_is_a_date_with_the_rows_of_that_day(lake):
    publish_full(lake, [1])
    assert types(lake, "engagements")["day"] == "DATE"
    assert catalog.query(lake, "select distinct day from engagements order by day")["day"].to_pylist() == [
        *WINDOW.days()
    ]


def test_what_is_known_now_is_historys_count_and_beyond_it_that_of_the_last_hours(lake):
    """Cell by cell, and never both."""
    pulled(lake, full([1], 10, window=LAST_DAY, hours=(0, 1)), at(1), window=LAST_DAY)
    observed(lake, RECENT, parts(full([1, 2], 3, window=LAST_DAY, hours=(1, 2))), at(2), tweets=[1, 2])
    publish_pulls(lake)
    sql = """
        select tweet_id, hour, count, provisional from engagements_now
        where engagement_type = 'impressions' order by all
    """
    assert [tuple(row.values()) for row in catalog.query(lake, sql).to_pylist()] == [
        (1, 0, 10, False),
        (1, 1, 10, False),
        (1, 2, 3, True),
        (2, 1, 3, True),
        (2, 2, 3, True),
    ]


CELL = st.tuples(
    st.integers(1, 3),
    st.sampled_from(["favorites", "impressions"]),
    st.sampled_from([*WINDOW.days()]),
    st.integers(0, 23),
)
COUNT = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=12)
@given(history=st.dictionaries(CELL, COUNT), recent=st.dictionaries(CELL, COUNT))
def test_what_is_known_now_has_each_cell_once_and_history_wins(tmp_path_factory, history, recent):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.open()
    for endpoint, cells, further in ((HISTORICAL, history, ()), (RECENT, recent, (True, at(1)))):
        for day in WINDOW.days() if endpoint == HISTORICAL else [WINDOW.last]:
            path, schema = lake.rows(endpoint.table, day), endpoint.table.schema
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [(*key, n, *further) for key, n in cells.items() if endpoint == RECENT or key[2] == day]
            cells_of = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
            write(cells_of, path, endpoint.table)
    found = catalog.query(lake, "select * from engagements_now").to_pylist()
    assert len(found) == len(history | recent)
    assert {tuple(row.values())[:4]: (row["count"], row["provisional"], row["partial"]) for row in found} == {
        **{key: (n, True, True) for key, n in recent.items()},
        **{key: (n, False, False) for key, n in history.items()},
    }


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_has_a_type_that_wraps_or_that_few_readers_know(described, view):
    """Of 8 bits or without a sign, sums of hours wrap; of 128 bits, pandas makes floats or objects."""
    for columns in described[view][:2]:
        assert not [kind for kind in columns.values() if re.search("TINYINT|SMALLINT|HUGEINT|UINTEGER|UBIG", kind)]
        assert columns.get("hour", "INTEGER") == "INTEGER"


@pytest.mark.parametrize("value", ["sum(i)", "sum(i::hugeint)", "sum(i) filter (where i < 0)"])
def test_a_sum_comes_in_64_bits(lake, value):
    """Of 128 bits, Arrow and Parquet make decimal numbers, which most readers take for texts or objects."""
    answer = catalog.query(lake, f"select 7 as first, {value} as sum from range(4) as r(i)")
    assert answer.schema.types == [pa.int32(), pa.int64()]
    assert answer["sum"].to_pylist() == ([None] if "filter" in value else [6])


def test_a_sum_beyond_64_bits_stays_exact(lake):
    assert catalog.query(lake, f"select {2**63}::hugeint as sum").to_pylist() == [{"sum": 2**63}]


def test_the_views_say_which_endpoint_was_asked_and_which_day_was_observed(lake):
    fill(lake)
    asked = "select endpoint, day::varchar as day, tweet_id, outcome from coverage order by all"
    assert [tuple(row.values()) for row in catalog.query(lake, asked).to_pylist()] == [
        ("28hr", "2026-02-01", 1, "stored"),
        ("historical", "2026-01-01", 1, "stored"),
        ("historical", "2026-01-01", 9, "unavailable"),
        ("historical", "2026-01-02", 1, "stored"),
        ("historical", "2026-01-02", 9, "unavailable"),
        ("totals", "2026-02-01", 1, "stored"),
    ]
    assert one(lake, "select tweet_id, count, observed_on::varchar, observed_at = '2026-02-01 02:00Z' from totals") == (
        1,
        7,
        "2026-02-01",
        True,
    )
    assert one(lake, "select tweet_id, endpoint, reason from set_aside") == (9, HISTORICAL.name, "unavailable")
    assert one(lake, "select string_agg(tweet_id, ' ' order by tweet_id) from tweets where followed") == ("1",)


def test_a_torn_line_of_the_request_log_is_left_out(lake):
    fill(lake)
    with next(lake.requests.iterdir()).open("ab") as log:
        log.write(b'{"asked_at": "2026-02-01T0')
    assert one(lake, "select count(*), min(status), min(tweet_ids)[2] from requests") == (1, 200, 9)
    log_request(lake)
    assert one(lake, "select count(*), min(status), min(tweet_ids)[2] from requests") == (2, 200, 9)


def test_handles_are_counted_by_month(lake):
    for month, handle, status in ((1, "ann", 200), (2, "ann", 403), (2, "bob", 200), (2, "", 200), (2, "cy", 401)):
        log_request(lake, month=month, handle=handle, status=status)
    rows = catalog.query(lake, "select month::varchar as month, handle, requests from handles_queried order by all")
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("2026-01-01", "ann", 1),
        ("2026-02-01", "ann", 1),
        ("2026-02-01", "bob", 1),
    ]
    assert request_log.used([lake], at(1).date()).handles == {"ann", "bob"}


def test_a_log_of_an_older_version_has_no_errors_and_no_contract(lake):
    log_request(lake)
    (path,) = lake.requests.iterdir()
    line = json.loads(path.read_bytes())
    path.write_text(json.dumps({name: line[name] for name in line if name not in ("error", "handles_per_month")}))
    assert one(lake, "select status, error, handles_per_month from requests") == (200, None, None)
    assert one(lake, "select requests, handles, handles_left from monthly_spend") == (1, 1, None)


def test_each_tweet_has_a_link_and_an_owner_also_a_tweet_of_others(lake):
    save_tweets(lake, handles=("ann", None))
    rows = catalog.query(lake, "select handle, link, owner from tweets order by tweet_id").to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("ann", "https://x.com/ann/status/1", "ann"),
        (None, "https://x.com/i/status/2", "others"),
    ]


def test_a_roster_s_own_link_of_before_stays_until_it_is_pulled_again(lake):
    """The next pull calls it roster_link, as any column with a name of the views."""
    save_tweets(lake, link=["short.example/1", None])
    assert one(lake, "select link, owner from tweets order by tweet_id") == ("short.example/1", "ann")


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
    for row, metric in zip(rows, METRICS, strict=True):
        assert row["endpoints"] == [*metric.endpoints]
        limits = {name: days for name, days in row["oldest_tweet_days"].items() if days}
        assert (row["public"], limits, row["since"]) == (metric.public, metric.oldest_tweet_days, metric.since)
        assert (row["meaning"], row["caveat"]) == (metric.meaning, metric.caveat)
        assert (row["display_name"], row["vendor_name"]) == (metric.title, metric.exported or None)


def test_the_metrics_view_can_be_asked(lake):
    assert types(lake, "metrics") == {
        "engagement_type": "VARCHAR",
        "display_name": "VARCHAR",
        "vendor_name": "VARCHAR",
        "endpoints": "VARCHAR[]",
        "public": "BOOLEAN",
        "oldest_tweet_days": 'STRUCT(totals INTEGER, "28hr" INTEGER, historical INTEGER)',
        "since": "DATE",
        "meaning": "VARCHAR",
        "caveat": "VARCHAR",
    }
    asked = "select engagement_type from metrics where {} order by all"
    young = catalog.query(lake, asked.format("oldest_tweet_days.totals = 90"))
    assert young["engagement_type"].to_pylist() == ["engagements", "impressions"]
    late = catalog.query(lake, asked.format("since > date '2014-09-01'"))
    assert late["engagement_type"].to_pylist() == ["favorites", "replies", "retweets"]


def test_times_are_shown_in_utc(lake):
    assert one(lake, "select current_setting('timezone')") == ("UTC",)


def test_the_file_holds_the_same_views_and_no_data(lake):
    publish_full(lake, [1])
    assert catalog.refresh(lake) == lake.catalog
    views = "select replace(schema_name || '.' || view_name, 'main.', '') from duckdb_views() where not internal"
    assert sorted(in_file(lake, views)) == [(view,) for view in VIEWS]
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
    catalog.write(lake)
    assert lake.catalog.stat().st_ino != before
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
    assert catalog.query(lake, "set threads = 1", unsafe=True).num_rows == 0
