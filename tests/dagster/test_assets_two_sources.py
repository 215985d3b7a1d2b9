"""One Dagster run over two APIs: both are pulled, and a check says how far they agree."""

import dagster as dg
import pytest
from code_location import FEW, failures, metadata, run_days

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts

AGREEMENT = dg.AssetCheckKey(dg.AssetKey("catalog"), "agreement")


@pytest.fixture
def both(in_world, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_SOURCE", "both")
    monkeypatch.setenv("ENGAGEMENT_TYPES", "impressions,bookmarks")
    return in_world


def agreement(instance):
    """Return what the check of the newest run says."""
    (record, *_) = instance.event_log_storage.get_asset_check_execution_history(AGREEMENT, limit=1)
    return record.event.dagster_event.event_specific_data


def test_a_run_pulls_both_and_says_that_they_agree(both, definitions, instance):
    assert not failures(run_days(definitions, instance, first=FEW[-1]))
    assert {entry["requests"] for entry in metadata(instance, "responses").values()} == {3 + 3}
    told = agreement(instance)
    assert told.passed
    hours = catalog.query(Lake(both.lake), "select sum(hours)::bigint as n from source_agreement")["n"][0].as_py()
    assert told.description == f"X API v2 agrees with the Engagement API on 100 % of {hours:,} hours"


def test_a_planted_difference_is_told_and_holds_nothing_back(both, definitions, instance):
    both.emulator.v2.faults.set(differing_share=1.0)
    assert not failures(run_days(definitions, instance, first=FEW[0], last=FEW[0]))  # older than a day
    told = agreement(instance)
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "impressions differ by" in told.description
    assert "bookmarks" not in told.description


def test_what_one_api_fails_with_does_not_keep_the_other_s_days_from_the_tables(both, definitions, instance):
    both.emulator.v2.faults.set(client_not_enrolled=True)
    assert failures(run_days(definitions, instance, first=FEW[-1]))
    days = catalog.query(Lake(both.lake), "select distinct day::varchar as day from engagements order by day")
    assert days["day"].to_pylist() == FEW[-1:]
