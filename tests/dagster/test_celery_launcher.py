"""The launcher for several machines: when it says that a run has lost its own."""

from types import SimpleNamespace

import dagster as dg
import pytest
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from processes import CLONE

from assets.celery_launcher import LOST, TRIES, LostRunLauncher
from assets.dagster_internals import WorkerStatus

BEGUN = {"hostname": "celery@north", "pid": 7}
RUN = dg.DagsterRun("daily", tags={DAGSTER_CELERY_TASK_ID_TAG: "a-task"})
HAS_IT, HAS_IT_NOT, SILENT = {"celery@north": {"a-task": ["active", {}]}}, {"celery@north": {}}, None


@pytest.fixture
def health(monkeypatch):
    """Return a function that gives the health of a run, by what Celery has noted and what the worker says."""
    launcher = LostRunLauncher(default_queue="dagster", broker="memory://", backend="cache+memory://")

    def told(states, *said, info=BEGUN):
        left, answers = list(states), list(said)

        def result(_):
            state = left.pop(0) if left[1:] else left[0]
            return SimpleNamespace(id="a-task", state=state, info=info)

        def inspect(*, destination, timeout):
            assert destination == ["celery@north"]
            return SimpleNamespace(query_task=lambda _: answers.pop(0))

        monkeypatch.setattr(
            launcher, "celery", SimpleNamespace(AsyncResult=result, control=SimpleNamespace(inspect=inspect))
        )
        found = launcher.check_run_worker_health(RUN)
        assert not answers
        return found.status, found.msg

    return told


def test_a_run_that_its_worker_has_goes_on(health):
    assert health(["STARTED"], HAS_IT) == (WorkerStatus.RUNNING, None)


def test_a_worker_that_answers_late_is_asked_again(health):
    assert health(["STARTED"], SILENT, HAS_IT) == (WorkerStatus.RUNNING, None)


def test_a_worker_that_never_answers_has_lost_its_run(health):
    assert health(["STARTED"], *[SILENT] * TRIES) == (WorkerStatus.FAILED, LOST)


def test_a_worker_that_was_started_anew_under_its_name_has_lost_its_run(health):
    assert health(["STARTED"], HAS_IT_NOT) == (WorkerStatus.FAILED, LOST)


def test_a_run_that_ends_while_its_worker_is_asked_is_not_lost(health):
    assert health(["STARTED", "STARTED", "SUCCESS"], HAS_IT_NOT) == (WorkerStatus.SUCCESS, None)
    assert health(["STARTED", "SUCCESS"], info=0) == (WorkerStatus.SUCCESS, None)


@pytest.mark.parametrize(("state", "status"), [("SUCCESS", WorkerStatus.SUCCESS), ("FAILURE", WorkerStatus.FAILED)])
def test_of_a_run_that_has_ended_nobody_is_asked(health, state, status):
    assert health([state])[0] == status


def test_what_workers_run_is_found_by_the_name_that_the_launcher_sends(tmp_path, monkeypatch):
    """The worker's module reads its queue from dagster.yaml, so here from one without PostgreSQL."""
    told = (CLONE / "deploy" / "celery" / "dagster.yaml").read_text(encoding="utf-8")
    (tmp_path / "dagster.yaml").write_text(told[: told.index("storage:")] + told[told.index("run_launcher:") :])
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    from assets import celery_worker  # noqa: PLC0415 - it reads DAGSTER_HOME

    assert "execute_job" in celery_worker.app.tasks
    assert celery_worker.app.conf.broker_url == "redis://127.0.0.1:1/0"
    assert celery_worker.app.conf.task_acks_late
