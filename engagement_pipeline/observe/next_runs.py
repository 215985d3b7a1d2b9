"""When Dagster's schedules run next, if Dagster answers.

In: the setting dagster_url. Out: the next run of each schedule that is on, or DagsterError in one line. One question to
Dagster's own GraphQL, with a short time-out: nobody waits long for a service that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from engagement_pipeline.core import bounds
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.core.redaction import without_password

SECONDS = 2.0  # for the whole answer; this machine or the next one gives it in less than a tenth
LARGEST = 2**20  # bytes; a schedule takes a hundred
QUESTION = """{
  repositoriesOrError {
    ... on RepositoryConnection {
      nodes {
        location { name }
        schedules { name scheduleState { status } futureTicks(limit: 1) { results { timestamp } } }
      }
    }
  }
}"""
LOCATION = "engagement"  # the code location's name in workspace.yaml: one Dagster may serve others too


class DagsterError(EngagementError):
    """Dagster does not answer, or not as Dagster does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRun:
    """A schedule that is on, and when it runs next, in UTC."""

    schedule: str
    at: datetime


def ask(dagster_url: str, *, seconds: float = SECONDS) -> tuple[NextRun, ...]:
    """Return the next run of each schedule of this project that is on, soonest first. Raises DagsterError."""
    shown = without_password(dagster_url)
    try:
        with bounds.bounded_session() as session:
            answer = bounds.send(
                session, "POST", f"{dagster_url}/graphql", seconds=seconds, largest=LARGEST, json={"query": QUESTION}
            )
    except OSError:  # of requests, and it may repeat the address with its password
        raise DagsterError(f"not known: nothing answers at {shown} (dagster_url)") from None
    try:
        return tuple(sorted(_found(orjson.loads(answer.body)), key=lambda run: run.at))
    except (ValueError, KeyError, TypeError, OverflowError):
        raise DagsterError(
            f"not known: what answers at {shown} ({answer.status}) is not this project's Dagster (dagster_url)"
        ) from None


def _found(told: Any) -> list[NextRun]:  # noqa: ANN401 - whatever JSON held
    repositories = [
        node for node in told["data"]["repositoriesOrError"]["nodes"] if node["location"]["name"] == LOCATION
    ]
    if not repositories:
        raise KeyError(LOCATION)
    return [
        NextRun(schedule=schedule["name"], at=datetime.fromtimestamp(tick["timestamp"], UTC))
        for repository in repositories
        for schedule in repository["schedules"]
        if schedule["scheduleState"]["status"] == "RUNNING"
        for tick in schedule["futureTicks"]["results"]
    ]
