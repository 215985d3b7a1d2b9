"""GET /2/usage/tweets: Posts that the project has read, each once a UTC day."""

import pytest
from emulator_client import NOW, healthy
from v2_client import PROBLEM, analytics, get, get_with

from engagement_pipeline.emulator import Emulator

PATH = "/2/usage/tweets"


@pytest.fixture
def emulator():
    with Emulator(now=NOW) as running:
        yield running


def usage(emulator, **params):
    named = {name.replace("__", "."): value for name, value in params.items()}
    return get_with(emulator, emulator.credentials.bearer_token, PATH, named)


def test_the_answer_has_the_form_of_the_vendors_sample(emulator):
    assert usage(emulator).json()["data"] == {
        "cap_reset_day": 7,
        "project_cap": "2000000",
        "project_id": str(emulator.credentials.app_id * 1_000),
        "project_usage": "0",
    }


def test_a_post_is_counted_once_a_day_whatever_asks_for_it(emulator):
    for _ in range(2):
        analytics(emulator, healthy().tweet_id, healthy(place=30).tweet_id)
        get(emulator, "/2/users/2817340115/tweets", {"max_results": 5})
    assert usage(emulator).json()["data"]["project_usage"] == "7"


def test_the_days_are_told_oldest_first(emulator):
    analytics(emulator)
    emulator.world.fixed_now = NOW.replace(day=16)
    analytics(emulator)
    data = usage(emulator, days=2, usage__fields="daily_project_usage,daily_client_app_usage").json()["data"]
    days = [{"date": f"2026-03-{day}T00:00:00.000Z", "usage": "1"} for day in (15, 16)]
    assert data["daily_project_usage"]["usage"] == days
    assert data["daily_client_app_usage"][0]["usage"] == days


def test_dials_set_the_cap_and_what_was_read_before(emulator):
    emulator.v2.faults.set(project_cap=100, project_usage=80)
    data = usage(emulator).json()["data"]
    assert (data["project_cap"], data["project_usage"]) == ("100", "80")


def test_only_the_app_alone_may_ask(emulator):
    answer = get(emulator, PATH)
    assert (answer.status_code, answer.json()["type"]) == (403, f"{PROBLEM}unsupported-authentication")
    assert usage(emulator).headers["x-rate-limit-limit"] == "50"


@pytest.mark.parametrize("params", [{"days": 0}, {"days": 91}, {"usage__fields": "bill"}])
def test_a_broken_rule_of_the_parameters_is_refused(emulator, params):
    assert usage(emulator, **params).status_code == 400
