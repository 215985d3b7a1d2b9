"""What a query prints: tables for people, CSV, JSON and Parquet for programs."""

import csv
import io
import json
import os
import subprocess
import sys

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from processes import started

from engagement_pipeline.cli import output
from engagement_pipeline.cli.main import main
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.extract.account_check import Finding

pytestmark = pytest.mark.marts

VALUES = """
    select 1890000000000000001::bigint as tweet_id, sum(i) as n, sum(i)::hugeint * 10 as huge,
        2.50::decimal(9, 2) as part, 0.5::double as half,
        'nan'::double as nothing, null::int as gap, true as yes, 'it''s [b]:x:[/b]' as text,
        date '2026-01-31' as day, [9007199254740993, 3] as list, {'tweet_id': 7} as nested
    from range(4000) as r(i)
"""


def test_json_holds_numbers_as_numbers_and_ids_as_text(lake, engagement):
    code, out, errors = engagement("sql", VALUES, "--format", "json")
    assert (code, errors) == (0, [])
    assert json.loads(out, parse_constant=pytest.fail) == [
        {
            "tweet_id": "1890000000000000001",
            "n": 7998000,
            "huge": 79980000,
            "part": 2.5,
            "half": 0.5,
            "nothing": None,
            "gap": None,
            "yes": True,
            "text": "it's [b]:x:[/b]",
            "day": "2026-01-31",
            "list": ["9007199254740993", 3],
            "nested": {"tweet_id": "7"},
        }
    ]
    assert '"n": 7998000,' in out


def test_a_whole_number_that_javascript_would_round_is_text_whatever_its_column_is_called(lake, engagement):
    query = "select max(id) as newest, 9007199254740992 as exact from (values (1890000000000000001)) as v(id)"
    assert json.loads(engagement("sql", query, "--format", "json")[1]) == [
        {"newest": "1890000000000000001", "exact": 9007199254740992}
    ]


def test_the_tweets_of_a_request_are_text_in_json_however_small(lake, engagement):
    query = "select [20, 1890000000000000001] as tweet_ids, [20] as days"
    assert json.loads(engagement("sql", query, "--format", "json")[1]) == [
        {"tweet_ids": ["20", "1890000000000000001"], "days": [20]}
    ]


SQL_TYPES = [
    "interval '1 month 2 days 3 hours'",
    "[interval 1 day]",
    "timestamptz '2026-01-31 01:00:00Z' - timestamptz '2026-01-30 00:00:00Z'",
    "time '10:00:00'",
    "uuid()",
    "'a'::blob",
    "map {'a': 1}",
    "union_value(a := 1)",
    "1::uhugeint",
    "1.5::decimal(38, 2)",
    "'a'::enum('a', 'b')",
    "null",
]


@pytest.mark.parametrize("style", ["table", "csv", "json"])
@pytest.mark.parametrize("value", SQL_TYPES)
def test_a_value_of_any_sql_type_is_shown(lake, engagement, value, style):
    code, out, errors = engagement("sql", f"select {value} as x", "--format", style)
    assert (code, errors) == (0, [])
    assert len(out.splitlines()) >= (1 if style == "json" else 2)


def test_the_table_groups_digits_of_counts_but_not_of_ids_and_cuts_nothing_short(lake, engagement):
    code, out, _ = engagement("sql", VALUES)
    assert code == 0
    cells = out.split()
    for text in ("1890000000000000001", "7,998,000", "79,980,000", "2.50", "0.5", "NULL", "[b]:x:[/b]", "2026-01-31"):
        assert text in cells
    assert "…" not in out


@pytest.mark.parametrize("named", ["max(tweet_id)", "newest"])
def test_an_id_has_no_separators_whatever_its_column_is_called(lake, engagement, named):
    query = f'select max(tweet_id) as "{named}" from (values (1890000000000000001)) as v(tweet_id)'
    assert engagement("sql", query)[1].split()[-1] == "1890000000000000001"


WIDE = "select 7 as id, repeat('a', 50) as first, repeat('b', 50) as second, 1200 as n from range({rows})"


def shown_on_a_terminal(engagement, monkeypatch, query, *, columns=80):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("PAGER", "")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, _ = engagement("sql", query)
    assert code == 0
    return out.splitlines()


def test_rows_that_are_wider_than_the_terminal_are_shown_a_column_a_line(lake, engagement, monkeypatch):
    lines = shown_on_a_terminal(engagement, monkeypatch, WIDE.format(rows=2))
    assert lines[:5] == ["row 1", "  id      7", f"  first   {'a' * 50}", f"  second  {'b' * 50}", "  n       1,200"]
    assert lines[5] == "row 2"
    assert lines[-1] == "2 rows, wider than this terminal; --format csv, json or parquet give all"


def test_of_many_wide_rows_the_first_are_shown(lake, engagement, monkeypatch):
    lines = shown_on_a_terminal(engagement, monkeypatch, WIDE.format(rows=1200))
    assert lines[-6] == "row 10"
    assert lines[-1].startswith("the first 10 of 1,200 rows, wider than this terminal; ")


def test_a_wide_terminal_shows_them_as_a_grid(lake, engagement, monkeypatch):
    lines = shown_on_a_terminal(engagement, monkeypatch, WIDE.format(rows=2), columns=200)
    assert not any(line.startswith("row ") for line in lines)


def test_in_a_pipe_no_row_is_too_wide(lake, engagement):
    assert max(map(len, engagement("sql", WIDE.format(rows=2))[1].splitlines())) > 100


def test_two_columns_of_one_name_are_both_shown(lake, engagement):
    assert engagement("sql", "select 1 as a, 2 as a")[1].split()[-2:] == ["1", "2"]


def test_a_long_table_is_shown_in_part_and_says_so(lake, engagement):
    out = engagement("sql", "select i from range(1200) as r(i)")[1]
    assert "the first 50 of 1,200 rows; --format csv, json or parquet give all" in out
    assert len(json.loads(engagement("sql", "select i from range(1200) as r(i)", "--format", "json")[1])) == 1_200


def test_a_failure_that_accounts_share_is_told_once(capsys):
    down = "https://data-api.twitter.com cannot be reached (no connection): check the network and api_url"
    findings = [Finding(handle, works=False, text=down) for handle in ("ann", "bob", "")]
    output.show_findings([*findings, Finding("cy", works=None, text=down)])
    assert capsys.readouterr().out.splitlines() == [
        f"ann              {down}",
        "bob              the same as ann",
        "(bearer token)   the same as ann",
        f"cy               {down}",
    ]


@pytest.mark.parametrize("style", ["table", "csv", "json"])
def test_no_rows_are_no_error(lake, engagement, style):
    code, _, errors = engagement("sql", "select 1 as a where false", "--format", style)
    assert (code, errors) == (0, [])


def test_csv_and_parquet_come_as_bytes_with_every_type_kept(lake, capsysbinary):
    query = "select 1890000000000000001::bigint as tweet_id, sum(i)::bigint as n from range(10) as r(i)"
    wanted = {"tweet_id": [1890000000000000001], "n": [45]}
    for style, read in (("csv", pyarrow.csv.read_csv), ("parquet", pq.read_table)):
        assert main(["sql", query, "--format", style]) == 0
        assert read(io.BytesIO(capsysbinary.readouterr().out)).to_pydict() == wanted


def test_csv_holds_lists_and_structs_as_json(lake, engagement):
    query = "select [1, 2] as list, {'tweet_id': 1890000000000000001} as nested, null::int[] as gap"
    code, out, errors = engagement("sql", query, "--format", "csv")
    assert (code, errors) == (0, [])
    assert list(csv.DictReader(io.StringIO(out))) == [
        {"list": "[1, 2]", "nested": '{"tweet_id": "1890000000000000001"}', "gap": ""}
    ]
    assert len(engagement("sql", "select * from metrics", "--format", "csv")[1].splitlines()) == 1 + len(METRICS)


def test_parquet_is_not_for_a_terminal(lake, failed, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, line = failed("sql", "select 1", "--format", "parquet")
    assert code == 2
    assert "send it to a file" in line


@pytest.mark.parametrize("query", ["selct 1", "select * from no_such_table", "select 1 +\n\n'a'", "select 1; select x"])
def test_a_query_that_cannot_be_answered_gets_duckdbs_words_in_one_line(lake, failed, query):
    code, line = failed("sql", query)
    assert code == 2
    assert line.startswith("the query failed: ")


def test_a_damaged_file_of_the_lake_is_a_failure_and_no_wrong_use(lake, failed):
    path = lake / "engagements" / "day=2026-01-01" / "engagements.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no parquet")
    code, line = failed("sql", "select count(*) from engagements")
    assert code == 1
    assert line.startswith(f"{path} is damaged (")
    assert line.endswith("): engagement rebuild --from 2026-01-01 --to 2026-01-01 makes it anew from raw")


def test_a_query_where_no_lake_is_names_the_folder(tmp_path, failed, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path))
    assert failed("sql", "select 1") == (
        2,
        f"there is no lake in {tmp_path}: pull first, or name one in ENGAGEMENT_DATA",
    )


@pytest.mark.parametrize("style", ["csv", "json"])
@pytest.mark.parametrize("rows", [1, 100_000])
def test_a_reader_that_has_seen_enough_is_no_error(lake, style, rows):
    """As in `| head`; whether the output fits into a buffer or not."""
    reading, writing = os.pipe()
    os.close(reading)
    with started("sql", f"select i from range({rows}) as r(i)", "--format", style, stdout=writing) as process:
        os.close(writing)
        assert (process.stderr.read(), process.wait()) == ("", 0)


def test_parquet_goes_into_a_pipe_whole(lake):
    with started("sql", "select i from range(9) as r(i)", "--format", "parquet", stdout=subprocess.PIPE) as process:
        content = process.stdout.buffer.read()
        assert (process.stderr.read(), process.wait()) == ("", 0)
    assert pq.read_table(io.BytesIO(content))["i"].to_pylist() == list(range(9))
