"""Marts and tables in Dagster's graph: what each says, what it is made of, and that no run makes one."""

import dagster as dg
import pytest

from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.query.dictionary import entries

pytestmark = pytest.mark.marts


@pytest.fixture
def graph(definitions):
    return definitions.resolve_asset_graph()


def key(name):
    return dg.AssetKey(name.split("."))


def sources(graph, name):
    """Return the names of all assets that one is made of, however far behind."""
    found = {key(name)}
    while new := {parent for each in found for parent in graph.get(each).parent_keys} - found:
        found |= new
    return {each.to_user_string() for each in found} - {name}


def test_every_view_of_the_catalogue_is_an_asset_with_its_columns_and_their_meaning(graph):
    for view in entries():
        schema = graph.get(key(view.name)).metadata["dagster/column_schema"]
        told = {column.name: column.description for column in schema.columns}
        expected = {column.name: column.meaning for column in view.columns}
        if view.name in TABLES:  # whose columns are those of its files
            expected = {name: expected[name] for name in TABLES[view.name].schema.names}
        assert told == expected, view.name


def test_a_mart_says_what_one_row_is(graph):
    described = graph.get(key("tweet_value")).description
    assert described.startswith("One row is a Tweet and an engagement type.")


def test_the_lineage_of_a_mart_goes_through_marts_and_tables_back_to_what_is_pulled(graph):
    assert {parent.to_user_string() for parent in graph.get(key("handle_posted")).parent_keys} == {
        "tweet_value",
        "tweets",
    }
    behind = {"tweet_value", "tweet_age", "coverage", "engagements", "tweets", "responses", "totals", "recent"}
    assert sources(graph, "handle_posted") == behind


def test_all_but_the_metric_dictionary_come_from_what_is_pulled(graph):
    pulled = {"responses", "totals", "recent"}
    names = {view.name for view in entries()} - pulled
    assert {name for name in names if not sources(graph, name) & pulled} == {"metrics"}


def test_no_run_makes_a_mart_or_asks_for_one(definitions, graph):
    shown = {key(view.name) for view in entries()} - {key(name) for name in ("engagements", "totals", "recent")}
    assert not shown & graph.materializable_asset_keys
    for job in ("daily", "lifetime", "hourly"):
        assert not shown & definitions.resolve_job_def(job).asset_layer.selected_asset_keys


def test_the_marts_are_a_group_of_their_own(graph):
    grouped = {each.to_user_string() for each in graph.get_all_asset_keys() if graph.get(each).group_name == "marts"}
    assert grouped == {view.name.replace(".", "/") for view in entries()} - TABLES.keys()
