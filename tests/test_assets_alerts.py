"""The failure sensor, through Dagster's own evaluation: a run fails, a receiver gets the message."""

import dagster as dg
import pytest
import receivers
from dagster._core.events import StepMaterializationData
from test_assets import DAYS, FEW, load_definitions, run_days

SENSOR = "failure_alert"


@pytest.fixture
def definitions(in_world, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", DAYS[0])
    return load_definitions()


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def tick(definitions, instance):
    """Return a function that evaluates the sensor as the daemon does, going on from its last cursor."""
    repository = definitions.get_repository_def()
    sensor = definitions.resolve_sensor_def(SENSOR)
    cursor = [None]

    def evaluate():
        with dg.build_sensor_context(instance=instance, repository_def=repository, cursor=cursor[0]) as context:
            data = sensor.evaluate_tick(context)
        cursor[0] = data.cursor
        return data

    evaluate()  # the first look begins at the present
    return evaluate


@pytest.fixture
def receiver(monkeypatch, in_world):
    with receivers.webhook() as receiver:
        monkeypatch.setenv("ENGAGEMENT_ALERT_WEBHOOK", f"http://127.0.0.1:{receiver.port}/s3cret")
        monkeypatch.setenv("ENGAGEMENT_DAGSTER_URL", "https://dagster.example.com")
        yield receiver


def text(receiver):
    (body,) = receiver.got
    return body["text"].splitlines()


def test_a_failed_run_is_told_with_asset_partitions_first_error_and_link(
    in_world, definitions, instance, tick, receiver
):
    in_world.accounts.unlink()
    run = run_days(definitions, instance)
    tick()
    assert text(receiver) == [
        "engagement-pipeline: a run of daily failed",
        "asset: responses",
        f"partitions: {FEW[0]} to {FEW[-1]}",
        f"error: {in_world.accounts} does not exist: the README shows what it holds",
        f"run: https://dagster.example.com/runs/{run.run_id}",
    ]


def test_a_run_is_told_of_once(in_world, definitions, instance, tick, receiver):
    in_world.accounts.unlink()
    run_days(definitions, instance)
    tick()
    tick()
    assert len(receiver.got) == 1


def test_a_run_of_one_day_names_that_day(in_world, definitions, instance, tick, receiver):
    in_world.accounts.unlink()
    job = definitions.resolve_job_def("daily")
    job.execute_in_process(instance=instance, partition_key=DAYS[3], raise_on_error=False)
    tick()
    assert text(receiver)[2] == f"partitions: {DAYS[3]}"


def test_a_run_without_days_names_none(in_world, definitions, instance, tick, receiver):
    in_world.accounts.unlink()
    definitions.resolve_job_def("hourly").execute_in_process(instance=instance, raise_on_error=False)
    tick()
    assert text(receiver)[:2] == ["engagement-pipeline: a run of hourly failed", "asset: recent"]
    assert text(receiver)[2].startswith("error: ")


def test_an_error_that_nobody_foresaw_is_told_as_it_was_raised(definitions, instance, tick, receiver, monkeypatch):
    monkeypatch.setattr("engagement_pipeline.pipeline.prepare", lambda *_, **__: 1 / 0)
    run_days(definitions, instance)
    tick()
    assert text(receiver)[3] == "error: ZeroDivisionError: division by zero"


def test_a_run_that_died_is_told_with_what_it_was_to_do(definitions, instance, tick, receiver):
    job = definitions.resolve_job_def("hourly").get_subset(asset_selection={dg.AssetKey("recent")})
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(run, "the machine died")
    tick()
    assert text(receiver)[1:3] == ["asset: recent", "error: the machine died"]


def test_a_whole_job_that_died_names_the_assets_that_it_did_not_make(definitions, instance, tick, receiver):
    run = instance.create_run_for_job(definitions.resolve_job_def("hourly"), status=dg.DagsterRunStatus.STARTED)
    made = dg.AssetMaterialization("recent")
    instance.report_dagster_event(
        dg.DagsterEvent(
            dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            run.job_name,
            event_specific_data=StepMaterializationData(made),
        ),
        run.run_id,
    )
    instance.report_run_failed(run, "the machine died")
    tick()
    assert text(receiver)[1] == "asset: catalog"


def test_a_run_that_succeeds_is_nobodys_business(definitions, instance, tick, receiver):
    assert run_days(definitions, instance).success
    tick()
    assert receiver.asked == 0


@pytest.fixture
def broken(receiver, monkeypatch):
    """A receiver that takes nothing."""
    monkeypatch.setattr("engagement_pipeline.alert.PAUSE_SECONDS", 0)
    receiver.status = 503
    return receiver


def test_a_receiver_that_fails_leaves_the_run_as_it_was_and_is_not_asked_for_ever(
    in_world, definitions, instance, tick, broken
):
    in_world.accounts.unlink()
    run = run_days(definitions, instance)
    logged = len(instance.all_logs(run.run_id))
    (reaction,) = tick().dagster_run_reactions
    assert "answered 503" in reaction.error.message
    assert "s3cret" not in reaction.error.to_string()
    assert not tick().dagster_run_reactions
    assert broken.asked == 3
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
    assert len(instance.all_logs(run.run_id)) == logged


def test_without_a_receiver_the_tick_says_what_to_set(in_world, definitions, instance, tick):
    in_world.accounts.unlink()
    run_days(definitions, instance)
    assert tick().skip_message == "neither alert_webhook nor alert_mail is set"


def test_the_sensor_is_on_from_the_first_start(definitions):
    assert definitions.resolve_sensor_def(SENSOR).default_status == dg.DefaultSensorStatus.RUNNING
