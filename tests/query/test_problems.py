"""What a query is refused for, what is said of a wrong one, and what is called damaged."""

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from histories import SECOND

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.query import catalog


@pytest.fixture
def rostered(history):
    """A lake with Tweets of a roster that has a column of its own."""
    posted = pa.array([None, None, None], pa.timestamp("ms", "UTC"))
    roster = {"tweet_id": pa.array([1, 2, 3]), "handle": ["ann"] * 3, "campaign": ["x"] * 3, "posted_at": posted}
    pq.write_table(pa.table(roster | {"followed": [True] * 3}), history.tweets)
    return history


def said(lake, sql):
    with pytest.raises(InputError) as caught:
        catalog.query(lake, sql)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select cuont from daily", 'there is no column "cuont" here: did you mean "count"?'),
        ("select d.tweetid from daily d", 'there is no column "tweetid" here: did you mean "tweet_id"?'),
        ("select campain from tweets", 'there is no column "campain" here: did you mean "campaign"?'),
        ("select 1 from daily join tweets using (tweet_id) where handel = 'a'", 'did you mean "handle"?'),
        ("select impresions from daily", "impressions is an engagement_type, as in engagement_type = 'impressions'"),
        ("select zzz from daily", 'no column "zzz" here; there is tweet_id, engagement_type, day, count'),
        ("from dayly", 'Did you mean "daily"?'),
    ],
)
def test_a_misspelled_name_is_told_with_the_nearest(rostered, sql, words):
    message = said(rostered, sql)
    assert words in message
    assert "damaged" not in message


def test_a_misspelled_column_beside_a_damaged_file_of_another_kind_is_the_file_s_fault(rostered):
    """What is proven is named, whatever else is wrong."""
    path = rostered.rows(HISTORICAL.table, SECOND)
    path.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=f"^{path} is damaged"):
        catalog.query(rostered, "select cuont from daily")


def test_a_flipped_bit_is_proven_by_its_checksum(rostered):
    path = rostered.rows(HISTORICAL.table, SECOND)
    content = bytearray(path.read_bytes())
    content[pq.read_metadata(path).row_group(0).column(4).data_page_offset + 40] ^= 1
    path.write_bytes(content)
    sql = f"select * from read_parquet('{path}') where error('{path}')"
    with pytest.raises(LakeError, match=f"^{path} is damaged"):
        catalog.query(rostered, sql)


@pytest.mark.parametrize("sql", ["", " ; ", "-- nothing"])
def test_a_query_that_says_nothing_is_refused(history, sql):
    assert said(history, sql).startswith("the query is empty: write one, as in engagement sql ")


def test_a_query_of_bytes_that_are_no_text_is_refused(history):
    sql = b"select '\xff'".decode("utf-8", "surrogateescape")  # as Python has an argument of the command line
    assert said(history, sql) == (
        "the query is not text in this locale: write it in UTF-8, and run it with LC_ALL=C.UTF-8"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "drop view daily",
        "create view mine as select 1",
        "create table mine (x int)",
        "copy daily to '{lake}/x.csv'",
        "explain analyze copy daily to '{lake}/x.csv'",
        "explain (analyze) copy daily to '{lake}/x.csv'",
        "/* */ explain analyze copy daily to '{lake}/x.csv'",
        "copy (pivot daily on engagement_type using sum(count)) to '{lake}/x.csv'",
        "select 1; copy daily to '{lake}/x.csv'",
        "set threads = 1",
        "set enable_external_access = true",
        "pragma enable_profiling",
        "attach '{lake}/x.duckdb'",
        "install httpfs",
    ],
)
def test_a_query_that_does_more_than_to_read_is_refused(history, sql):
    before = {*history.root.rglob("*")}
    assert "the query is refused: engagement sql reads and changes nothing" in said(
        history, sql.format(lake=history.root)
    )
    assert {*history.root.rglob("*")} == before


@pytest.mark.parametrize(
    "sql",
    [
        "from read_text('{outside}')",
        "from read_csv('{outside}')",
        "from '{outside}'",
        "from sniff_csv('{outside}')",
        "from glob('{folder}/*')",
        "from read_text('{lake}/../secret.csv')",
    ],
)
def test_a_query_opens_no_file_outside_the_lake(history, sql):
    outside = history.root.parent / "secret.csv"
    outside.write_text("a,b\n1,2\n")
    sql = sql.format(outside=outside, folder=outside.parent, lake=history.root)
    assert "engagement sql opens the lake's files alone, and --unsafe lets it open any" in said(history, sql)
    assert catalog.query(history, sql, unsafe=True).num_rows > 0


@pytest.mark.parametrize(
    "sql",
    [
        "from daily",
        "with a as (from daily) select count(*) from a",
        "pivot daily on engagement_type using sum(count)",
        "from (pivot daily on engagement_type using sum(count))",
        "explain select 1",
        "explain analyze from daily",
        "describe daily",
        "summarize daily",
        "show tables",
        "-- why\nselect 1",
        "from read_parquet('{lake}/daily/*.parquet')",
    ],
)
def test_a_query_that_reads_is_answered(history, sql):
    assert catalog.query(history, sql.format(lake=history.root)).num_rows > 0


def test_a_query_finds_no_variable_of_the_program(history):
    """DuckDB looks for a table that it does not know among Python's variables."""
    assert "Table with name relation does not exist" in said(history, "from relation")


def test_unsafe_allows_any_statement(history):
    target = history.root.parent / "out.csv"
    catalog.query(history, f"copy daily to '{target}'", unsafe=True)
    assert duckdb.sql(f"select count(*) from '{target}'").fetchall()[0][0] > 0
