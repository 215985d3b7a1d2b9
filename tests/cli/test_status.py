"""`engagement status`: one screen, JSON, and parts that cannot be read beside those that can."""

import errno
import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from receivers import service

from engagement_pipeline.cli import status
from engagement_pipeline.core.spend import Limits
from engagement_pipeline.lake import shapes
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe.next_runs import NextRun
from engagement_pipeline.sources.x_api_v2.usage import Usage


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
    assert pull.endswith(" 3 published")
    assert "this month   3 requests, 3 answered; 3 handles queried" in said
    assert "set aside    0 Tweets" in said


def test_what_a_month_has_used_is_shown_with_its_limits_and_money(in_world, engagement, lines, monkeypatch):
    for name, value in {"requests": 4, "handles": 50, "posts": 1_000}.items():
        monkeypatch.setenv(f"ENGAGEMENT_{name.upper()}_PER_MONTH", str(value))
    monkeypatch.setenv("ENGAGEMENT_PRICE_PER_READ", "0.005")
    assert engagement("pull", "--from", "2026-01-31", "--source", "x_api_v2")[0] == 0
    said = lines()
    place = next(number for number, line in enumerate(said) if line.startswith("this month"))
    assert said[place : place + 2] == [
        "this month   3 of 4 requests (75 %), 3 answered; 0 of 50 handles (0 %) queried;",
        "             6 of 1,000 Posts (1 %) read, 0.03",
    ]


def test_the_vendor_s_own_count_is_asked_for_where_somebody_wants_it(in_world, engagement):
    in_world.emulator.v2.faults.set(project_usage=1_000, project_cap=2_000_000)
    assert engagement("pull", "--from", "2026-01-31", "--source", "x_api_v2")[0] == 0
    asked = len(in_world.emulator.v2.requests)
    assert "X counts" not in engagement("status")[1]
    assert len(in_world.emulator.v2.requests) == asked
    _, out, warnings = engagement("status", "--vendor")
    said = out.splitlines()
    assert warnings == []
    place = said.index("X counts     6 Posts read this month")
    assert said[place + 1] == "             1,006 of 2,000,000 in a month that begins on day 7"
    assert "this month   4 requests, 4 answered; 0 handles queried; 6 Posts read" in said
    assert json.loads(engagement("status", "--vendor", "--json")[1])["vendor"]["this_month"] == 6
    assert shapes.load(Lake(in_world.lake).storage) == []
    in_world.emulator.v2.faults.set(unknown_keys=1)
    engagement("status", "--vendor")
    assert {seen.endpoint for seen in shapes.load(Lake(in_world.lake).storage)} == {"usage"}


def test_a_vendor_that_does_not_tell_is_a_line_and_the_rest_is_shown(in_world, engagement):
    in_world.emulator.v2.faults.set(status_503=1)
    code, out, _ = engagement("status", "--vendor")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("X counts")]
    assert "/2/usage/tweets answered 503" in line
    assert "accounts     3 handles, 6 Tweets" in out


def test_the_vendor_is_not_asked_where_the_month_has_no_request_left(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "1")
    engagement("status", "--vendor")
    out = engagement("status", "--vendor")[1]
    assert "X counts     0 of this month's 1 request are left (requests_per_month): nothing more is sent" in out
    assert len(in_world.emulator.v2.requests) == 1


def test_the_pulls_of_endpoints_with_longer_and_shorter_names_stand_in_columns(
    in_world, engagement, lines, monkeypatch
):
    monkeypatch.setenv("ENGAGEMENT_X_AUDIT", "always")
    assert engagement("pull", "--from", "2026-01-30", "--to", "2026-01-31", "--source", "x_api_v2")[0] == 0
    said = lines()
    place = next(number for number, line in enumerate(said) if line.startswith("last pulls"))
    days, began = said[place].index("days"), said[place].index("began")
    for line in said[place + 1 : place + 3]:
        assert line[days - 1 : days + 3] == " 202"
        assert line[began - 1 : began + 3] == " 202"
        assert line.endswith(" published")
        assert len(line) <= 80


def test_a_pull_that_stopped_is_shown_with_the_command_that_says_more(in_world, engagement, lines):
    in_world.emulator.faults.set(revoked_handles=["lumenaudio"])
    assert engagement("pull", "--from", "2026-01-31")[0] == 1
    said = lines()
    assert any(line.endswith(" 2 stopped") for line in said)
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


def test_a_lake_that_the_system_does_not_give_is_a_line_and_the_rest_is_shown(in_world, lines, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "pull.json")

    monkeypatch.setattr(status.status, "of_lake", refuse)
    assert [line for line in lines() if line.startswith("lake ")][-1].startswith(
        "lake         pull.json cannot be used: Too many open files; raise the limit of open files"
    )


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


@pytest.mark.parametrize(
    ("to_forget", "overdue", "line"),
    [
        (0, 0, []),
        (1, 0, ["to forget    1 Tweet: forget_by in the view missing"]),
        (3, 2, ["to forget    3 Tweets, 2 overdue: forget_by in the view missing"]),
    ],
)
def test_what_is_to_be_forgotten_is_a_line_if_there_is_any(in_world, engagement, to_forget, overdue, line):
    assert engagement("pull", "--from", "2026-01-31")[0] == 0
    found = status.gathered(in_world.settings(), now=datetime.now(UTC))
    told = replace(found, standing=replace(found.standing, to_forget=to_forget, overdue=overdue))
    assert [each for each in status.lines(told) if each.startswith("to forget")] == line


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
            to_forget=1_000_000,
            overdue=999_999,
        ),
        next_runs=tuple(NextRun(schedule=f"daily{i}", at=datetime(2026, 2, 1, tzinfo=UTC)) for i in range(9)),
        problems={"roster": "it cannot be read", "set aside": "it is damaged", "X counts": "it does not answer"},
    )
    limits = Limits(requests_per_month=10**8, handles_per_month=1_000, posts_per_month=10**8, price_per_read=0.005)
    vendor = Usage(this_month=10**7, vendors_month=10**7, cap=10**8, reset_day=31)
    shown = [*status.lines(replace(many, limits=limits, vendor=vendor))]
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
