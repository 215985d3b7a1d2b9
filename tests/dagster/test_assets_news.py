"""What an API sends that is new, in Dagster: one run tells it by a check and an alert, and the next is silent."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest
import receivers
from code_location import FEW, failures, run_days

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.shape import KEY, News
from engagement_pipeline.lake import shapes
from engagement_pipeline.lake.layout import Lake

DAY = date(2026, 1, 30)
CHECK = dg.AssetCheckKey(dg.AssetKey("catalog"), "shapes")
TOLD = "/historical now sends key `request_trace` in $; it is kept in raw and not stored"


@pytest.fixture
def new_key(in_world, monkeypatch):
    """An API with a key that nobody knows, and few types of one handle."""
    monkeypatch.setenv("ENGAGEMENT_TYPES", "impressions")
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2)})
    in_world.emulator.faults.set(unknown_keys=1)
    return in_world


@pytest.fixture
def receiver(monkeypatch):
    with receivers.webhook() as receiver:
        monkeypatch.setenv("ENGAGEMENT_ALERT_WEBHOOK", f"http://127.0.0.1:{receiver.port}/s3cret")
        yield receiver


@pytest.fixture
def known(in_world):
    """A lake that knows of the key, and has nothing else."""
    lake = Lake(in_world.lake)
    lake.open()
    asked = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(1,), types=(), window=Window(DAY, DAY))
    news = [News(KEY, "$", "request_trace", "5")]
    shapes.learn(lake.storage, news, asked, asked_at=datetime(2026, 1, 31, tzinfo=UTC), kept=True)


def check(definitions, instance):
    """Run the checks of the lake alone, as from the page of `catalog`."""
    keys = {
        dg.AssetCheckKey(CHECK.asset_key, name) for name in ("whole", "agreement", "window_sums", "spend", "shapes")
    }
    whole = definitions.resolve_implicit_global_asset_job_def()
    job = whole.get_subset(asset_selection=set(), asset_check_selection=keys)
    return job.execute_in_process(instance=instance, raise_on_error=False)


def told(instance):
    """Return what the newest result says: whether it passed, how badly it failed, and its words."""
    (record, *_) = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=1)
    evaluation = record.event.dagster_event.event_specific_data
    return evaluation.passed, evaluation.severity, evaluation.description


def test_a_run_tells_it_by_a_check_and_an_alert_and_the_next_is_silent(new_key, definitions, instance, receiver):
    assert not failures(run_days(definitions, instance, first=FEW[-1]))
    assert told(instance) == (False, dg.AssetCheckSeverity.WARN, TOLD)
    (body,) = receiver.got
    assert body["text"].splitlines()[1] == TOLD
    assert not failures(run_days(definitions, instance, first=FEW[-1]))
    assert told(instance)[::2] == (True, "the APIs send nothing new")
    assert len(receiver.got) == 1


@pytest.mark.usefixtures("known")
def test_an_alert_that_is_not_taken_fails_no_run_and_is_sent_by_the_next(definitions, instance, receiver, monkeypatch):
    monkeypatch.setattr("engagement_pipeline.observe.alert.PAUSE_SECONDS", 0)
    with monkeypatch.context() as patched:
        patched.setenv("ENGAGEMENT_ALERT_WEBHOOK", "http://127.0.0.1:9/s3cret")
        assert check(definitions, instance).success
    first, why = told(instance)[2].splitlines()
    assert first == TOLD
    assert why.endswith("; the next run tells it again")
    assert "s3cret" not in why
    check(definitions, instance)
    assert told(instance)[2] == TOLD
    assert len(receiver.got) == 1


@pytest.mark.usefixtures("known")
def test_without_anybody_to_alert_the_check_tells_it_alone(definitions, instance):
    check(definitions, instance)
    assert told(instance)[2] == TOLD
    check(definitions, instance)
    assert told(instance)[0]
