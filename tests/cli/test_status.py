"""`engagement status`: one screen, JSON, and parts that cannot be read beside those that can."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from receivers import service

from engagement_pipeline.cli import status
from engagement_pipeline.observe.next_runs import NextRun


@pytest.fixture(autouse=True)
def _no_dagster(monkeypatch):
    """Name an address where nothing answers."""
    with service(b"") as (url, _):
        monkeypatch.setenv("ENGAGEMENT_DAGSTER_URL", url)


@pytest.fixture
def lines(engagement):
    """Return a function that runs the command, and gives its lines."""

    def run():
        code, out, errors = engagement("status")
        assert (code, errors) == (0, [])
        return out.splitlines()

    return run


def test_before_the_first_pull_the_accounts_and_the_roster_are_shown(in_world, lines):
    said = lines()
    assert said[:2] == [
        f"lake         {in_world.lake}",
        "  days       none: the first engagement pull makes the lake",
    ]
    assert "accounts     3 handles, 6 Tweets" in said
    assert "  harborbooks            2 Tweets" in said
    assert not in_world.lake.exists()
    assert not in_world.emulator.requests


def test_after_a_pull_its_days_its_outcome_and_what_it_cost_are_shown(in_world, engagement, lines):
    assert engagement("pull", "--from", "2026-01-30", "--to", "2026-01-31")[0] == 0
    said = lines()
    assert said[1].startswith("  days       2 days, 2026-01-30 to 2026-01-31, no gap; ")
    (pull,) = [line for line in said if line.startswith("  /historical")]
    assert pull.split()[1:4] == ["2026-01-30", "to", "2026-01-31"]
    assert pull.endswith("3  published")
    assert "this month   3 requests, 3 answered; 3 handles queried" in said
    assert "set aside    0 Tweets" in said


def test_a_pull_that_stopped_is_shown_with_the_command_that_says_more(in_world, engagement, lines):
    in_world.emulator.faults.set(revoked_handles=["lumenaudio"])
    assert engagement("pull", "--from", "2026-01-31")[0] == 1
    said = lines()
    assert any(line.endswith("2  stopped") for line in said)
    assert "  1 pull is not in the tables: engagement doctor says what to run" in said


def test_handles_of_the_roster_without_tokens_are_named(in_world, engagement):
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2), "ann": [1890000000000000001]})
    out = engagement("status")[1]
    assert "  left out: 1 Tweet of handles without tokens: engagement authorize ann" in out.splitlines()


def test_what_cannot_be_read_is_a_line_and_the_rest_is_shown(in_world, engagement, lines):
    assert engagement("pull", "--from", "2026-01-31")[0] == 0
    in_world.accounts.unlink()
    said = lines()
    assert f"accounts     {in_world.accounts} does not exist: engagement init writes one" in said
    assert said[1].startswith("  days       1 day, ")
    (in_world.lake / "lake.json").write_text('{"format": 2}')
    assert any(line.startswith("lake         ") and "run engagement upgrade" in line for line in lines())


def test_json_has_the_same_for_programs(in_world, engagement):
    assert engagement("pull", "--from", "2026-01-31")[0] == 0
    code, out, errors = engagement("status", "--json")
    assert (code, errors) == (0, [])
    told = json.loads(out)
    assert told["followed"] == {"harborbooks": 2, "lumenaudio": 2, "tidalcoffee": 2}
    assert told["standing"]["held"]["first"] == "2026-01-31"
    assert told["standing"]["pulls"][0]["outcome"] == "published"
    assert told["standing"]["used"]["handles"] == ["harborbooks", "lumenaudio", "tidalcoffee"]
    assert "nothing answers" in told["problems"]["next run"]


def test_a_large_project_fits_on_a_screen(in_world, engagement):
    """Many handles, gaps, open pulls and schedules are shown in part."""
    assert engagement("pull", "--from", "2026-01-31")[0] == 0
    found = status.gathered(in_world.settings(), now=datetime.now(UTC))
    handles = {f"a_handle_of_{i:03}": 100_000 for i in range(300)}
    (pull,) = found.standing.pulls
    gap = (pull.first, pull.last)
    many = replace(
        found,
        accounts=tuple(handles),
        followed=handles,
        unknown={"ann": 1_000_000},
        standing=replace(
            found.standing,
            held=replace(found.standing.held, gaps=(gap,) * 100, damaged=9),
            pulls=(replace(pull, outcome="stopped", unanswered=9),) * 100,
            set_aside={"forbidden": 1_000, "protected": 1_000, "unavailable": 1_000},
        ),
        next_runs=tuple(NextRun(schedule=f"daily{i}", at=datetime(2026, 2, 1, tzinfo=UTC)) for i in range(9)),
        problems={"roster": "it cannot be read", "set aside": "it is damaged"},
    )
    shown = [*status.lines(many)]
    assert len(shown) <= status.SCREEN
    assert max(map(len, shown[1:])) <= 80


def test_the_next_runs_are_those_that_dagster_tells(in_world, engagement, monkeypatch):
    ticks = {"results": [{"timestamp": datetime(2026, 2, 1, 2, 30, tzinfo=UTC).timestamp()}]}
    schedules = [{"name": "daily", "scheduleState": {"status": "RUNNING"}, "futureTicks": ticks}]
    nodes = [{"location": {"name": "engagement"}, "schedules": schedules}]
    body = json.dumps({"data": {"repositoriesOrError": {"nodes": nodes}}}).encode()
    with service(body) as (url, _):
        monkeypatch.setenv("ENGAGEMENT_DAGSTER_URL", url)
        out = engagement("status")[1]
    assert out.splitlines()[-1] == "next run     2026-02-01 02:30 UTC, daily"
