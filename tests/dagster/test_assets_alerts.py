"""The failure sensor, through Dagster's own evaluation: a run fails, a receiver gets the message."""

from datetime import UTC, datetime

import dagster as dg
import pytest
import receivers
from code_location import DAYS, FEW, RANGE_END, RANGE_START, load_definitions, run_days
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData, JobFailureData, StepMaterializationData
from dagster._core.storage.tags import PARENT_RUN_ID_TAG
from dagster._grpc.server import DagsterApiServer
from dagster_shared.error import SerializableErrorInfo

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.lake.layout import Lake

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
        f"error: {in_world.accounts} does not exist: engagement init writes one",
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
    monkeypatch.setattr("assets.engagements.prepare_sources", lambda *_, **__: 1 / 0)
    run_days(definitions, instance)
    tick()
    assert text(receiver)[3] == (
        "error: ZeroDivisionError: division by zero: a mistake of this program; what has landed is kept"
    )


@pytest.fixture
def token(in_world, monkeypatch):
    """A token that an exception of the pull tells, since the program has a mistake."""
    token = in_world.emulator.credentials.bearer_token

    def mistaken(*_, **__):
        raise ValueError(f"Invalid header value b'Bearer {token}\\n'")

    monkeypatch.setattr("assets.engagements.pulling.pull", mistaken)
    return token


def test_a_secret_that_an_exception_holds_is_neither_told_nor_kept(definitions, instance, tick, receiver, token):
    run = run_days(definitions, instance)
    (failure,) = run.get_step_failure_events()
    kept = [entry.to_json() if hasattr(entry, "to_json") else repr(entry) for entry in instance.all_logs(run.run_id)]
    assert not [entry for entry in kept if token in entry]
    traceback = failure.step_failure_data.user_failure_data.metadata["traceback"].text
    assert "in mistaken" in traceback
    assert r"Invalid header value b'Bearer …\n'" in traceback
    tick()
    assert text(receiver)[3].startswith(r"error: ValueError: Invalid header value b'Bearer …\n': a mistake of this")


@pytest.fixture
def unread(in_world, definitions, monkeypatch):
    """An accounts file that is broken, and a token of it that an exception tells before anybody has read the file."""
    token = "ATokenThatTheSensorReads"
    monkeypatch.setattr("assets.engagements.prepare_sources", lambda *_, **__: {}[f"token {token}"])
    in_world.accounts.write_text(f'[app]\nbearer_token = "{token}" oops')


@pytest.mark.usefixtures("unread")
def test_the_sensor_masks_what_a_run_told_though_it_has_asked_for_nothing(definitions, instance, tick, receiver):
    run_days(definitions, instance)
    tick()
    assert text(receiver)[3].startswith("error: KeyError: 'token …': a mistake of this program")


def test_a_run_that_died_is_told_with_what_it_was_to_do(definitions, instance, tick, receiver):
    job = definitions.resolve_job_def("hourly").get_subset(asset_selection={dg.AssetKey("recent")})
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(run, "the machine died")
    tick()
    assert text(receiver)[1:3] == ["asset: recent", "error: the machine died"]


def test_a_whole_job_that_died_names_the_assets_that_it_did_not_make(definitions, instance, tick, receiver):
    run = instance.create_run_for_job(definitions.resolve_job_def("daily"), status=dg.DagsterRunStatus.STARTED)
    made = dg.AssetMaterialization("responses")
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
    assert text(receiver)[1] == "asset: catalog, engagements"


@pytest.fixture
def dies(definitions, instance):
    """Return a function that starts a run and ends it as Dagster does, from outside: with these words, after a note."""

    def end(words=None, *, note=None, error=None, canceling=None, parent=None):
        tags = {PARENT_RUN_ID_TAG: parent} if parent else {}
        job = definitions.resolve_job_def("lifetime")
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
        instance.report_engine_event("Executing steps in process (pid: 1)", run, EngineEventData({"pid": "1"}))
        if canceling:
            instance.report_run_canceling(run, canceling)
        if note:
            instance.report_engine_event(note, run, EngineEventData({}, error=error), cls=DagsterApiServer)
        instance.report_run_failed(run, words)
        instance.report_engine_event("Retrying the run", run)
        return run.run_id

    return end


def an_error(text):
    return SerializableErrorInfo(text, [], "OperationalError")


KILLED = "Run execution process was terminated by signal 9 (SIGKILL)."
STOPPED = "the run was stopped before its end: the services were stopped, or its process was killed"
FORCED = "This job is being forcibly marked as failed. The computational resources may not have been cleaned up."


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({}, STOPPED),
        ({"words": "the machine died"}, "the machine died"),
        ({"words": "the machine died", "note": KILLED}, "the machine died"),
        ({"note": KILLED}, KILLED),
        ({"note": "not launched", "error": an_error("no answer")}, "no answer"),
        ({"words": FORCED, "canceling": "it took 4 hours"}, "it took 4 hours"),
        ({"words": FORCED, "canceling": "it took 4 hours", "note": KILLED}, "it took 4 hours"),
    ],
)
def test_a_run_that_was_ended_from_outside_is_told_with_what_was_noted_before(dies, tick, receiver, ended, told):
    dies(**ended)
    tick()
    assert text(receiver)[2] == f"error: {told}"


def interrupted(*_, **__):
    raise DagsterExecutionInterruptedError


def query_interrupted(*_, **__):
    raise RuntimeError("Query interrupted")


@pytest.fixture(
    params=[(pulling, "pull", interrupted, "responses"), (pipeline, "publish_days", query_interrupted, "engagements")]
)
def stopped(request, monkeypatch):
    """The asset in which a stop meets the run."""
    module, place, stop, asset = request.param
    monkeypatch.setattr(module, place, stop)
    return asset


def test_a_run_that_was_stopped_says_so_in_plain_words(stopped, definitions, instance, tick, receiver):
    run_days(definitions, instance)
    tick()
    assert (text(receiver)[1], text(receiver)[3]) == (f"asset: {stopped}", f"error: {STOPPED}")


def test_a_database_that_is_down_is_named_by_its_error(definitions, instance, tick, receiver):
    run = instance.create_run_for_job(definitions.resolve_job_def("lifetime"), status=dg.DagsterRunStatus.STARTED)
    words = 'Execution of run for "lifetime" failed. An exception was thrown during execution.'
    wrapped = SerializableErrorInfo("sqlalchemy: [SQL: insert …]", [], "OperationalError", an_error("no connection"))
    instance.report_run_failed(run, words, JobFailureData(wrapped))
    tick()
    assert text(receiver)[2] == "error: no connection"


def test_a_run_that_is_tried_again_calls_nobody_unless_that_fails_too(dies, tick, receiver):
    """Together with one that is not: Dagster takes up to five runs in a tick."""
    first, other = dies("its machine died"), dies("out of disk")
    again = dies("died again", parent=first)
    data = tick()
    assert [reaction.error for reaction in data.dagster_run_reactions] == [None] * 3
    assert [body["text"].splitlines()[2] for body in receiver.got] == ["error: out of disk", "error: died again"]
    assert [body["text"].splitlines()[-1].rpartition("/")[2] for body in receiver.got] == [other, again]


def test_a_run_whose_second_try_is_only_announced_is_told_at_once(dies, instance, tick, receiver):
    """Where Dagster cannot launch it, no run fails any more."""
    instance.add_run_tags(dies("its machine died"), {"dagster/will_retry": "true"})
    tick()
    assert text(receiver)[3] == "next: Dagster should try the run again by itself: check that it does"


@pytest.fixture
def wrong_rows(in_world, monkeypatch):
    """Let all days but the first be published with the rows of the first."""
    publish, lake = pipeline.publish_days, Lake(in_world.lake)

    def with_rows_of_another_day(*arguments):
        published = publish(*arguments)
        rows, *others = (lake.rows(HISTORICAL.table, parse_day(day)) for day in FEW)
        for other in others:
            other.write_bytes(rows.read_bytes())
        return published

    monkeypatch.setattr(pipeline, "publish_days", with_rows_of_another_day)


def test_a_check_that_holds_the_catalog_back_is_told_in_its_own_words(
    wrong_rows, definitions, instance, tick, receiver
):
    run_days(definitions, instance)
    tick()
    _, asset, days, error, _ = text(receiver)
    assert (asset, days) == ("asset: engagements", f"partitions: {FEW[0]} to {FEW[-1]}")
    assert error.startswith(f"error: check right of {FEW[1]} (and 1 more): schema: ")
    assert "rows are of other days" in error


@pytest.fixture
def stale(in_world, definitions, instance, monkeypatch):
    """A lake at noon that lacks its newest day."""
    now = datetime(2026, 2, 1, 12, tzinfo=UTC)
    in_world.emulator.world.fixed_now = now
    monkeypatch.setenv("ENGAGEMENT_NOW", now.isoformat())
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "2")
    assert run_days(definitions, instance, last=FEW[1]).success


def run_hourly(definitions, instance):
    return definitions.resolve_job_def("hourly").execute_in_process(instance=instance, raise_on_error=False)


def test_a_lake_that_lacks_a_day_is_told_and_the_last_hours_are_published_all_the_same(
    stale, definitions, instance, tick, receiver
):
    assert run_hourly(definitions, instance).asset_materializations_for_node("recent")
    tick()
    words = (
        f"Tweets of the roster are missing on 1 of the 2 days to {FEW[2]}: {FEW[2]}; the next daily run pulls them, "
        "unless their account fails: then engagement check says why"
    )
    assert text(receiver)[1:3] == ["asset: engagements", f"error: check fresh: {words}"]


def test_a_lake_is_not_told_of_before_the_daily_run_can_be_over(stale, definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DAILY_AT", "08:01")
    assert run_hourly(definitions, instance).success
    monkeypatch.setenv("ENGAGEMENT_DAILY_AT", "08:00")
    assert not run_hourly(definitions, instance).success


def test_a_new_lake_is_not_told_of(in_world, definitions, instance):
    result = run_hourly(definitions, instance)
    (fresh,) = result.get_asset_check_evaluations()
    assert (result.success, fresh.passed) == (True, False)


def test_a_run_over_days_succeeds_whatever_others_the_lake_lacks(stale, definitions, instance):
    """The page of an asset runs all checks of it."""
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection={dg.AssetKey("responses"), dg.AssetKey("engagements")}
    )
    result = job.execute_in_process(instance=instance, tags={RANGE_START: FEW[0], RANGE_END: FEW[0]})
    passed = {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()}
    assert (result.success, passed["fresh"]) == (True, False)


def test_a_run_that_succeeds_is_nobodys_business(definitions, instance, tick, receiver):
    assert run_days(definitions, instance).success
    tick()
    assert receiver.asked == 0


@pytest.fixture
def broken(receiver, monkeypatch):
    """A receiver that takes nothing."""
    monkeypatch.setattr("engagement_pipeline.observe.alert.PAUSE_SECONDS", 0)
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
