"""A lake in a bucket: what the commands make of it is what they make on a disk."""

from datetime import date

import pytest

from engagement_pipeline import pipeline
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

DAYS = date(2026, 1, 30), date(2026, 1, 31)


def tables(lake):
    """Return the rows of all tables but the log of requests, which has how long each took."""
    names = [table.name for table in TABLES.values() if table.name != "requests"]
    return {name: catalog.query(lake, f"from {name} order by all").to_pylist() for name in names}


def run(chosen):
    outcome = pipeline.run(chosen, prepare(chosen, *DAYS))
    assert outcome.failure is None


@pytest.fixture
def chosen(world, in_bucket):
    return world.settings(data=str(in_bucket), types="impressions engagements")


def test_the_tables_are_those_of_a_lake_on_a_disk(world, chosen):
    run(chosen)
    on_disk = world.settings(types="impressions engagements")
    run(on_disk)
    assert tables(Lake(chosen.data)) == tables(Lake(on_disk.data))
    assert len(tables(Lake(chosen.data))["engagements"]) > 0
