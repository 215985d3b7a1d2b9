"""What each worker runs: `celery --app assets.celery_worker worker`, in the folder that has assets/.

Its queue, and all else that Celery must know, comes from the launcher in dagster.yaml of $DAGSTER_HOME. So what sends
runs and what takes them read the same file.
"""

import dagster as dg
from dagster_celery.tasks import create_execute_job_task

from assets.celery_launcher import LostRunLauncher

with dg.DagsterInstance.get() as _instance:
    assert isinstance(_instance.run_launcher, LostRunLauncher)
    app = _instance.run_launcher.celery

create_execute_job_task(app)
