"""What the command says of the views, and of one count."""

import json
import re
import shlex

import pyarrow as pa
import pytest
from bodies import at, full, pulled
from histories import FIRST, SECOND

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import dictionary

pytestmark = pytest.mark.marts


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """A lake of which some counts changed."""
    lake = Lake(tmp_path / "my lake")
    pulled(lake, full([1], 1_000), at(1))
    pulled(lake, full([1], 2_000, hours=[0]), at(2))
    publish_pulls(lake)
    monkeypatch.setenv("ENGAGEMENT_DATA", str(lake.root))
    monkeypatch.setenv("COLUMNS", "80")
    return lake


def explained(engagement, *words):
    code, out, err = engagement("explain", "1", "impressions", str(SECOND), *words)
    assert (code, err) == (0, [])
    return out


def test_a_count_is_told_with_its_response_and_what_it_was(lake, engagement):
    out = explained(engagement, "0")
    assert out.startswith(f"1 impressions on {SECOND} at 00:00 UTC: 2,000\n")
    assert "  asked_at  2026-02-01 02:00:00 UTC\n" in out
    assert "  value     2000\n" in out
    assert "  earlier   1000 until 2026-02-01 02:00:00 UTC\n" in out


def test_the_command_that_is_told_leads_to_the_count(lake, engagement):
    told = json.loads(explained(engagement, "0", "--json"))
    zstd, _, path, _, tail, _, first, _, jq, place = shlex.split(told["command"])
    assert (zstd, tail, first, jq, place) == ("zstd", "tail", "+2", "jq", told["place"])
    with pa.CompressedInputStream(pa.OSFile(path), "zstd") as stream:
        value = json.loads(stream.read().split(b"\n", 1)[1])
    for key in re.findall(r'\["([^"]+)"\]', place):
        value = value[key]
    assert value == told["value"] == "2000"
    assert told["earlier"] == [{"count": 1000, "until": "2026-02-01 02:00:00 UTC"}]


def test_a_count_that_there_is_not_has_its_reason(lake, engagement):
    out = explained(engagement, "7")
    assert out.startswith(f"1 impressions on {SECOND} at 07:00 UTC: no count\n  why       the answers for")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("1", "impresions", str(FIRST), "0"), "did you mean impressions?"),
        (("1", "impressions", str(FIRST), "24"), "argument HOUR: invalid choice: 24"),
        (("9" * 30, "impressions", str(FIRST), "0"), "is no Tweet ID: the largest has 19 digits"),
    ],
)
def test_what_is_no_count_is_refused_in_one_line(lake, engagement, words, told):
    code, _, err = engagement("explain", *words)
    assert code == 2
    (line,) = err
    assert told in line


def test_the_views_are_listed_each_with_what_one_row_is(engagement, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = engagement("tables")
    assert code == 0
    lines = out.splitlines()
    for entry in dictionary.entries():
        assert any(line.split() == [entry.name, *entry.grain.split()] for line in lines)


def test_a_view_is_told_column_by_column(engagement, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = engagement("tables", "daily")
    assert code == 0
    assert out.startswith("daily: one row is a count of engagements")
    assert re.search(r"^  day +DATE +The UTC day on which it happened\.$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_programs_get_json(engagement):
    code, out, _ = engagement("tables", "daily", "--json")
    assert code == 0
    (told,) = json.loads(out)
    assert [column["name"] for column in told["columns"]] == ["tweet_id", "engagement_type", "day", "count"]


@pytest.mark.parametrize(("name", "hint"), [("dayly", "did you mean daily?"), ("xyzxyz", "choose from ")])
def test_a_view_that_there_is_not_is_named_with_the_nearest_or_with_all(engagement, name, hint):
    code, _, err = engagement("tables", name)
    assert (code, len(err)) == (2, 1)
    assert f"there is no table {name!r}: {hint}" in err[0]
