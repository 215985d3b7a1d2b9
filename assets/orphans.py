"""End runs that died with the code location as failed, so that Dagster tries them again.

Dagster believes that such a run is alive, and holds the queue for it until max_runtime_seconds. So the unit
engagement-code.service runs this module before it starts. Runs are its child processes: a run that still counts as
running at that moment has lost its process, and gets a tag. The sensor ends the tagged runs later, because a retry that
meets no code location is given up. Runs that something else started (`dagster job execute`) are left alone.
"""

import sys

import dagster as dg

from assets.dagster_internals import GRPC_INFO_TAG, end_lost
from assets.runs import one_line

ORPHAN = "engagement/orphan"
LOST = "the code location was restarted during the run, so the run's process is gone; what has landed is kept"
UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def mark(instance: dg.DagsterInstance) -> list[str]:
    """Tag the unfinished runs that a code location launched; return their IDs."""
    orphans = [run for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)) if GRPC_INFO_TAG in run.tags]
    for run in orphans:
        instance.add_run_tags(run.run_id, {ORPHAN: run.run_id})  # its own ID, because a second try inherits the tags
    return [run.run_id for run in orphans]


@dg.sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Ends runs that died with the code location, so that Dagster tries them once more.",
)
@one_line()
def orphaned_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End the runs with the tag."""
    left = context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    orphans = [run for run in left if run.tags.get(ORPHAN) == run.run_id]
    for run in orphans:
        end_lost(context.instance, run, LOST)
    ended = ", ".join(run.run_id for run in orphans)
    return dg.SkipReason(f"ended: {ended}" if ended else "no run lost its process")


if __name__ == "__main__":
    with dg.DagsterInstance.get() as _instance:
        sys.stdout.writelines(f"run {run_id} has lost its process\n" for run_id in mark(_instance))
