"""What a partition and an asset tell a stranger in the UI, read as Dagster stores it."""

import xml.etree.ElementTree as ET
from urllib.parse import unquote

import dagster as dg
import pytest
from code_location import FEW, KEYS, metadata, run_days

from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.lake.layout import FORMAT, Lake
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts

DAY = FEW[1]


@pytest.fixture
def told(in_world, definitions, instance):
    """What the partition of one day tells, of a roster with a deleted Tweet in it."""
    deleted = in_world.tweets("harborbooks", 1, state="deleted")
    in_world.follow({"harborbooks": sorted([*in_world.tweets("harborbooks", 2), *deleted])})
    assert run_days(definitions, instance).success
    return metadata(instance, "engagements")[DAY]


def test_a_partition_tells_its_numbers(in_world, told):
    lake = Lake(in_world.lake)
    sql = f"select sum(count) as n from daily where engagement_type = 'impressions' and day = '{DAY}'"
    (impressions,) = catalog.query(lake, sql)["n"].to_pylist()
    assert {name: value for name, value in told.items() if isinstance(value, int)} == {
        "dagster/row_count": 2 * 17 * 24,
        "tweets": 2,
        "set_aside": 1,
        "set_aside, unavailable": 1,
        "left_out": 0,
        "impressions": impressions,
        "requests": 1,
        "restated": 0,
        "bytes": lake.rows(HISTORICAL.table, parse_day(DAY)).stat().st_size,
    }


def test_a_partition_shows_a_picture_of_the_day_in_place(told):
    """Dagster shows Markdown of up to 1,000 characters in place, and a link in place of more."""
    picture, words = told["by hour"].split("\n\n")
    assert len(told["by hour"]) < 1000
    assert picture.startswith(f"![{DAY} by hour, UTC](data:image/svg+xml,<svg%20")
    paths = ET.fromstring(unquote(picture.partition("svg+xml,")[2][:-1])).findall("{*}path")
    assert [("l" in path.get("d")) for path in paths][:2] == [True, True]  # the day before, and the day
    assert len(paths) == 4  # of impressions and of engagements
    assert words.startswith("impressions (blue, to ")


def test_a_partition_shows_its_first_tweets_and_some_rows(in_world, definitions, instance):
    assert run_days(definitions, instance, first=FEW[-1]).success
    (record,) = instance.fetch_materializations(dg.AssetKey("engagements"), limit=1).records
    table = record.asset_materialization.metadata["top Tweets"]
    assert [column.name for column in table.schema.columns] == ["tweet_id", "handle", "impressions", "engagements"]
    shown = [row.data["impressions"] for row in table.records]
    assert len(shown) == 6
    assert shown == sorted(shown, reverse=True)
    preview = record.asset_materialization.metadata["rows, largest first"]
    assert [column.name for column in preview.schema.columns] == HISTORICAL.table.schema.names
    assert len(preview.records) == 10


@pytest.mark.parametrize(("asset", "endpoint"), [("engagements", HISTORICAL), ("totals", TOTALS), ("recent", RECENT)])
def test_each_column_of_a_table_is_described(definitions, asset, endpoint):
    schema = definitions.get_assets_def(asset).metadata_by_key[dg.AssetKey(asset)]["dagster/column_schema"]
    assert [column.name for column in schema.columns] == endpoint.table.schema.names
    assert all(column.description.endswith(".") for column in schema.columns)


def test_every_asset_says_what_it_is_whose_and_of_what_kind(definitions):
    for key in KEYS:
        spec = definitions.get_assets_def(key).get_asset_spec(key)
        assert len(spec.description) > 100
        assert (spec.group_name, spec.owners) == ("engagement", ["team:data"])
        assert spec.kinds
        assert spec.tags["source"] == "x-engagement-api"


def test_the_catalog_lists_its_views_with_the_rows_of_the_tables(in_world, told, instance):
    (record,) = instance.fetch_materializations(dg.AssetKey("catalog"), limit=1).records
    views = {row.data["view"]: row.data["rows"] for row in record.asset_materialization.metadata["views"].records}
    (found,) = catalog.query(Lake(in_world.lake), "select count(*) as n from engagements")["n"].to_pylist()
    assert (views["engagements"], views["totals"], views["completeness"]) == (found, 0, None)
    names = (
        "select replace(schema_name || '.' || view_name, 'main.', '') as name from duckdb_views() where not internal"
    )
    assert sorted(views) == sorted(catalog.query(Lake(in_world.lake), names)["name"].to_pylist())


def test_what_a_table_s_code_makes_has_a_version_and_the_answers_as_received_have_none(definitions):
    """A new version marks what was made before as stale; to pull the answers again would cost requests."""
    specs = {key.to_user_string(): definitions.get_assets_def(key).get_asset_spec(key) for key in KEYS}
    assert {name for name, spec in specs.items() if not spec.code_version} == {"responses"}
    assert specs["engagements"].code_version.startswith(f"{FORMAT}-")
