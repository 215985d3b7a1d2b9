"""The data dictionary is what the code says."""

from pathlib import Path

import pytest

from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog, dictionary
from engagement_pipeline.query.dictionary import Column, Entry
from engagement_pipeline.query.views import all_macros

pytestmark = pytest.mark.marts

CLONE = Path(__file__).parents[2]
VIEWS = [
    Entry(
        name="likes",
        grain="a Tweet",
        description="The key is tweet_id.",
        columns=[Column("tweet_id", "BIGINT", "The Tweet."), Column("n", "INTEGER", "How many.")],
    )
]
TABLE = "| view | one row is | columns |\n|---|---|---|\n| [`likes`](#likes) | a Tweet | `tweet_id`, `n` |\n"


@pytest.fixture(scope="module")
def entries():
    return dictionary.entries()


def test_the_page_is_what_the_code_says_or_else_run_make_docs(entries):
    assert (CLONE / dictionary.DICTIONARY).read_text(encoding="utf-8") == dictionary.page(entries)


def test_it_has_each_view_of_the_catalog_and_each_column_with_a_meaning(entries, tmp_path):
    with catalog.connect(Lake(tmp_path)) as connection:
        views = "select replace(schema_name || '.' || view_name, 'main.', '') from duckdb_views() where not internal"
        names = connection.sql(views).fetchall()
        columns = {name: connection.sql(f"from {name}").columns for (name,) in names}
    found = {entry.name: [column.name for column in entry.columns] for entry in entries}
    assert {name: found[name] for name in columns} == columns
    assert {*found} - {*columns} == {macro.name for macro in all_macros()}
    assert [(entry.name, column) for entry in entries for column in entry.columns if not column.meaning] == []


def test_types_are_named_as_duckdb_names_them(entries):
    (requests,) = (entry for entry in entries if entry.name == "requests")
    types = {column.name: column.type for column in requests.columns}
    assert types["asked_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["tweet_ids"] == "BIGINT[]"


def test_each_view_names_a_key_of_its_own_columns(entries):
    for entry in entries:
        _, _, key = entry.description.partition("The key is ")
        named = key.removesuffix(".").replace(" and ", ", ").split(", ")
        assert set(named) <= {column.name for column in entry.columns}, entry.name


def test_the_key_of_a_table_is_written_out(entries):
    (totals,) = (entry for entry in entries if entry.name == "totals")
    assert TABLES["totals"].key == ("tweet_id", "engagement_type", "observed_on")
    assert totals.description.endswith(" The key is tweet_id, engagement_type and observed_on.")


def test_the_page_has_a_table_of_the_views_and_then_each_view_as_a_section_with_its_columns():
    assert dictionary.page(VIEWS).removeprefix(dictionary.HEAD) == (
        f"\n{TABLE}"
        "\n## likes\n\nOne row is a Tweet. The key is tweet_id.\n\n"
        "| column | type | meaning |\n|---|---|---|\n"
        "| `tweet_id` | BIGINT | The Tweet. |\n| `n` | INTEGER | How many. |\n"
    )


def test_it_writes_the_page(tmp_path, monkeypatch, entries):
    monkeypatch.chdir(tmp_path)
    dictionary.DICTIONARY.parent.mkdir()
    dictionary.main()
    assert dictionary.DICTIONARY.read_text(encoding="utf-8") == dictionary.page(entries)
