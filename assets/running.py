"""What every asset that runs a stage of the library needs."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from engagement_pipeline.errors import EngagementError

API_POOL = "engagement_api"  # of 1 (deploy/dagster.yaml): one puller spends the whole contracted rate


@contextmanager
def one_line() -> Iterator[None]:
    """Let a failure show in the UI as its one line, without a traceback."""
    try:
        yield
    except EngagementError as error:
        raise dg.Failure(str(error)) from None
