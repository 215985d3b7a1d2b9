"""Where `engagement sql` takes its query from, and the formats in which it writes the answers."""

import codecs
import io
import sys
from datetime import UTC, date, datetime

import openpyxl
import pyarrow as pa
import pytest
from bodies import at, full, pulled

from engagement_pipeline.cli import workbook
from engagement_pipeline.cli.main import main
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

TWEET = 1985675977088445684
ONE, TWO = "select 1 as one", "select 2 as two"


@pytest.fixture
def lake(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([TWEET], 3), at(1))
    publish_pulls(lake)
    monkeypatch.setenv("ENGAGEMENT_DATA", str(lake.root))
    return lake


@pytest.fixture
def typed(monkeypatch):
    """Return a function that puts text into standard input."""

    def put(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


def book(table):
    """Write a table as a workbook, and return the rows of its sheet."""
    file = io.BytesIO()
    workbook.write(table, file)
    return [*openpyxl.load_workbook(file).active.iter_rows(values_only=True)]


def test_each_statement_is_answered(lake, engagement):
    code, out, _ = engagement("sql", f"{ONE}; {TWO};")
    assert code == 0
    assert out.index("one") < out.index("two")


def test_the_query_may_be_in_a_file(lake, engagement, tmp_path):
    (tmp_path / "a query.sql").write_bytes(codecs.BOM_UTF8 + f"-- ä\n{ONE}\n;".encode())
    assert engagement("sql", "-f", str(tmp_path / "a query.sql"), "--format", "csv")[:2] == (0, '"one"\n1\n')


@pytest.mark.parametrize("words", [(), ("--file", "-")])
def test_the_query_may_be_in_standard_input(lake, engagement, typed, words):
    typed(TWO.encode())
    assert engagement("sql", *words, "--format", "csv")[:2] == (0, '"two"\n2\n')


def test_a_statement_that_does_more_than_to_read_is_refused_before_any_is_answered(lake, engagement):
    code, out, (line,) = engagement("sql", f"{ONE}; drop view daily")
    assert (code, out) == (2, "")
    assert "the query is refused" in line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((f"{ONE}; {TWO}", "--format", "csv"), "--format csv writes one answer, and the query has 2 statements"),
        ((ONE, "--file", "x.sql"), "there are two queries, in --file and beside it: leave one out"),
        (("--file", "no.sql"), "no.sql cannot be read: No such file or directory; name another file"),
        ((ONE, "--bom"), "--safe-csv and --bom are for --format csv"),
    ],
)
def test_what_is_no_query_is_refused_in_one_line(lake, failed, words, told):
    code, line = failed("sql", *words)
    assert code == 2
    assert told in line


def test_a_query_that_is_no_utf_8_is_refused(lake, failed, typed):
    typed("select 'ä'".encode("latin-1"))
    assert failed("sql") == (2, "standard input is not UTF-8 text: save the query as UTF-8")


def test_on_a_terminal_a_query_is_asked_for(lake, failed, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert failed("sql") == (2, "there is no query: write it behind sql, in --file FILE, or into standard input")


def test_csv_may_begin_with_a_byte_order_mark(lake, engagement):
    assert engagement("sql", ONE, "--format", "csv", "--bom")[1] == '\ufeff"one"\n1\n'


def test_a_workbook_holds_the_answer(lake, capfdbinary):
    main(["sql", "select tweet_id, sum(count)::bigint as n from engagements group by 1", "--format", "xlsx"])
    rows = openpyxl.load_workbook(io.BytesIO(capfdbinary.readouterr().out)).active.iter_rows(values_only=True)
    assert [*rows] == [("tweet_id", "n"), (str(TWEET), 24)]


def test_a_workbook_keeps_what_excel_would_change():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    table = pa.table(
        {
            "tweet_id": pa.array([12], pa.int64()),
            "large": pa.array([10**15], pa.int64()),
            "count": pa.array([-3], pa.int64()),
            "rate": pa.array([0.25]),
            "none": pa.array([None], pa.int64()),
            "infinite": pa.array([float("inf")]),
            "formula": ["=1+1"],
            "yes": [True],
            "day": [date(2026, 1, 2)],
            "at": pa.array([moment], pa.timestamp("us", "UTC")),
            "before": [date(1899, 1, 1)],
        }
    )
    names, values = book(table)
    assert dict(zip(names, values, strict=True)) == {
        "tweet_id": "12",
        "large": str(10**15),
        "count": -3,
        "rate": 0.25,
        "none": None,
        "infinite": None,
        "formula": "=1+1",
        "yes": True,
        "day": datetime(2026, 1, 2),  # noqa: DTZ001 - as openpyxl reads a date
        "at": moment.replace(tzinfo=None),
        "before": "1899-01-01",
    }


def test_an_answer_that_no_sheet_holds_is_refused():
    with pytest.raises(InputError, match="1,048,576 rows and 1 columns, and a sheet holds 1,048,575"):
        book(pa.table({"n": pa.nulls(2**20)}))
    with pytest.raises(InputError, match="a text of the column text has 32,768 characters"):
        book(pa.table({"text": ["x" * 32_768]}))


def test_a_workbook_of_no_rows_has_the_names(lake):
    assert book(pa.table({"a": pa.array([], pa.int64())})) == [("a",)]
