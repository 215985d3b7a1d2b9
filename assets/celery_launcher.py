"""Runs on several machines: each run is one task of Celery, and a worker of any machine takes it.

deploy/celery/dagster.yaml names the launcher; assets/celery_worker.py is what the workers run.
"""

import dagster as dg
from celery.result import AsyncResult
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from assets.dagster_internals import CheckRunHealthResult, WorkerStatus

TRIES = 3  # to reach a worker: a slow network is no dead machine
PATIENCE_SECONDS = 5.0  # for one of them; a worker that lives answers at once, whatever its runs do
LOST = "no worker has this run any more: its machine or its worker has ended; what has landed is kept"


class LostRunLauncher(CeleryRunLauncher):
    """Dagster's launcher, which also notices that a run has lost its machine.

    Dagster's own believes what Celery last wrote down, and a machine that died has not written that its run is over.
    So the worker that has begun a run is asked whether it still has it. Dagster's monitor calls this every 30 seconds.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Tell whether the run goes on."""
        told = super().check_run_worker_health(run)
        task = self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG])
        if told.status != WorkerStatus.RUNNING or self._is_at_work(task):
            return told
        told = super().check_run_worker_health(run)  # it may have ended meanwhile
        return CheckRunHealthResult(WorkerStatus.FAILED, LOST) if told.status == WorkerStatus.RUNNING else told

    def _is_at_work(self, task: AsyncResult) -> bool:
        """Ask the worker that has begun a task."""
        info = task.info
        if not isinstance(info, dict):  # it has ended meanwhile
            return False
        asking = self.celery.control.inspect(destination=[info["hostname"]], timeout=PATIENCE_SECONDS)
        answers = (asking.query_task(task.id) for _ in range(TRIES))
        said: dict[str, dict[str, object]] = next((answer for answer in answers if answer), {})
        return any(tasks for tasks in said.values())
