"""The page for those who come from elsewhere names each column that they had, and what is NULL here."""

import re
from pathlib import Path

import pytest

from docs import answers
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_views

PAGE = (Path(__file__).parents[2] / "docs" / "from-elsewhere.md").read_text(encoding="utf-8")
SECTIONS = dict(section.split("\n", 1) for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
COMPAT = [view for view in all_views() if view.name.startswith("compat.")]
FIRST_LINE = (
    "Post id,Date,Post text,Post Link,Impressions,Likes,Engagements,Bookmarks,Shares,New follows,Replies,Reposts,"
    "Profile visits,Detail Expands,URL Clicks,Hashtag Clicks,Permalink Clicks"
)
EXPORTED = FIRST_LINE.split(",")


def mapped(title):
    """Return the columns that a section's table names, with whether they are NULL here."""
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", SECTIONS[title], re.MULTILINE)
    return {column: here == "NULL" for columns, here in rows for column in re.findall("`([^`]+)`", columns)}


@pytest.mark.parametrize("view", COMPAT, ids=lambda view: view.name)
def test_each_column_of_a_compat_view_is_mapped_and_those_of_nulls_are_told(view):
    told = mapped(f"Fivetran: `{view.name.removeprefix('compat.')}`")
    always_null = {name for name, meaning in view.columns.items() if "lways NULL" in meaning}
    assert told.keys() | {"source_relation"} == view.columns.keys() | {"source_relation"}
    assert {name for name, is_null in told.items() if is_null} == always_null


def test_each_column_of_the_vendor_s_export_is_mapped_and_in_the_query(demo_lake):
    assert mapped("The vendor's CSV export").keys() == set(EXPORTED)
    (query,) = (found["sql"] for found in answers.ASKED.finditer(SECTIONS["The vendor's CSV export"]))
    table = catalog.query(demo_lake, query)
    assert table.column_names == EXPORTED
    empty = {name for name in EXPORTED if table[name].null_count == len(table)}
    assert empty == {name for name, is_null in mapped("The vendor's CSV export").items() if is_null}


def test_an_export_is_held_against_the_lake_by_the_page_s_command(demo_lake, engagement, tmp_path, monkeypatch):
    (command,) = re.findall(r"^\$ \.venv/bin/engagement sql --unsafe '(.+)'$", PAGE, re.MULTILINE)
    (tweet,) = catalog.query(demo_lake, "select * from tweet_lifetime where whole limit 1").to_pylist()
    (tmp_path / "export.csv").write_text(f"Post id,Impressions\n{tweet['tweet_id']},7\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENGAGEMENT_DATA", str(demo_lake.root))
    code, printed, _ = engagement("sql", "--unsafe", command, "--format", "csv")
    assert code == 0
    assert printed.splitlines()[1] == f"{tweet['tweet_id']},7,{tweet['impressions']}"
