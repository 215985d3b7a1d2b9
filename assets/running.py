"""What every asset that runs a stage of the library needs."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from engagement_pipeline import pipeline
from engagement_pipeline.errors import EngagementError
from engagement_pipeline.pipeline import Prepared
from engagement_pipeline.settings import Settings

API_POOL = "engagement_api"  # of 1 (deploy/dagster.yaml): one puller spends the whole contracted rate


@contextmanager
def one_line() -> Iterator[None]:
    """Let a failure show in the UI as its one line, without a traceback."""
    try:
        yield
    except EngagementError as error:
        raise dg.Failure(str(error)) from None


def log_plan(context: dg.AssetExecutionContext, chosen: Settings, prepared: Prepared) -> None:
    """Say in the run's log what it will ask for, before it asks: a run costs requests that the contract counts."""
    lines = pipeline.plan_lines(prepared, per_minute=chosen.requests_per_minute)
    context.log.info("\n".join(["the plan:", *lines]))
