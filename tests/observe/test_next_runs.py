"""What Dagster is asked for the next runs, and what is made of any answer."""

import json
from datetime import UTC, datetime

import pytest
from receivers import service
from trickles import server

from engagement_pipeline.observe import next_runs
from engagement_pipeline.observe.next_runs import DagsterError, NextRun

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def schedule(name, *, at=NOON, status="RUNNING"):
    ticks = {"results": [{"timestamp": at.timestamp()}]}
    return {"name": name, "scheduleState": {"status": status}, "futureTicks": ticks}


def told(*schedules, location="engagement"):
    nodes = [{"location": {"name": location}, "schedules": schedules}]
    return json.dumps({"data": {"repositoriesOrError": {"nodes": nodes}}}).encode()


def test_the_schedules_that_are_on_are_told_soonest_first():
    body = told(schedule("lifetime", at=NOON.replace(hour=15)), schedule("daily"), schedule("hourly", status="STOPPED"))
    with service(body) as (url, asked):
        assert next_runs.ask(url) == (
            NextRun(schedule="daily", at=NOON),
            NextRun(schedule="lifetime", at=NOON.replace(hour=15)),
        )
    assert asked == [("/graphql", {"query": next_runs.QUESTION})]


def test_where_nothing_answers_is_told_without_a_password():
    with service(b"") as (url, _):
        pass
    address = url.replace("http://", "http://ann:horsebattery@")
    with pytest.raises(DagsterError, match="nothing answers at http://") as caught:
        next_runs.ask(address)
    assert "horsebattery" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"data": {"repositoriesOrError": {}}}',
        told(schedule("daily"), location="another"),
        told({"name": "daily"}),
    ],
)
def test_another_service_at_the_address_is_told_from_dagster(body):
    with service(body) as (url, _), pytest.raises(DagsterError, match="is not this project's Dagster"):
        next_runs.ask(url)


def test_a_dagster_that_takes_too_long_is_one_that_does_not_answer():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    with server(head, b" ", pause=0.05) as url, pytest.raises(DagsterError, match="nothing answers"):
        next_runs.ask(url, seconds=0.3)
