"""Windows that an API refuses as too long or too old: told once, remembered, and no day is lost."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread

import pytest
from truth import FIRST, LAST, NOW

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import HOURLY
from engagement_pipeline.emulator import Emulator
from engagement_pipeline.extract.plan_text import plan_lines
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import refused_windows
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

DAYS = 14  # that the API goes back
OLDEST = date(2026, 1, 18)  # the first that it serves
HANDLE = "harborbooks"
OUTCOMES = """
    select day, any_value(outcome), any_value(text) from coverage
    where endpoint = '{endpoint}' group by day order by day
"""


@pytest.fixture
def short(world):
    """A world with APIs that both go back DAYS, and one handle."""
    emulator = Emulator(now=NOW, max_age_days=DAYS, requests_per_minute=6000, requests_per_15_minutes=90_000)
    Thread(target=emulator.run, daemon=True).start()
    emulator.v2.faults.set(oldest_days=DAYS)
    emulator.credentials.write_accounts(world.accounts)
    urls = dict.fromkeys(("ENGAGEMENT_API_URL", "ENGAGEMENT_X_API_URL"), emulator.url)
    made = replace(world, emulator=emulator, environment=world.environment | urls)
    made.follow({HANDLE: made.tweets(HANDLE, 2)})
    yield made
    emulator.stop()


def chosen(world, source, **changes):
    return world.settings(source=source, types="impressions", **changes)


def pulled(settings, first=FIRST, last=LAST, **options):
    (endpoint,) = settings.hourly
    return pipeline.run(settings, prepare(settings, first, last, endpoint=endpoint, **options))


def sent(world, source):
    return len(world.emulator.requests if source == "engagement" else world.emulator.v2.requests)


def outcomes(settings):
    (endpoint,) = settings.hourly
    with catalog.connect(Lake(settings.data)) as connection:
        return {day: told for day, *told in connection.sql(OUTCOMES.format(endpoint=endpoint)).fetchall()}


def test_days_that_are_too_old_are_told_by_one_pull_which_gets_the_others_and_left_out_by_the_next(short, each_source):
    settings = chosen(short, each_source)
    outcome = pulled(settings)
    told = "the data begin at 2026-01-18T00:00Z; this is remembered, and older days are left out from now on"
    assert told in str(outcome.failure)
    assert [len(publication.stored) for publication in outcome.publications] == [0, 2]
    assert sent(short, each_source) == 2
    assert pulled(settings).failure is None
    assert sent(short, each_source) == 3


def test_the_lake_tells_of_each_day_that_was_left_out_why(short, each_source):
    settings = chosen(short, each_source)
    for _ in range(3):
        pulled(settings)
    found = outcomes(settings)
    assert [*found] == [FIRST + timedelta(days=number) for number in range(28)]
    assert {outcome for day, (outcome, _) in found.items() if day >= OLDEST} == {"stored"}
    (left,) = {(outcome, text) for day, (outcome, text) in found.items() if day < OLDEST}
    assert left[0] == "request refused"
    assert left[1].startswith("400: ")
    assert "2026-01-18T00:00:00Z" in left[1]


def test_a_plan_says_in_words_which_days_are_left_out_why_and_until_when(short, each_source):
    settings = chosen(short, each_source)
    pulled(settings)
    lines = plan_lines(prepare(settings, FIRST, LAST, endpoint=HOURLY[each_source]))
    assert lines[0] == f"2026-01-04 to 2026-01-17: 0 requests to /{HOURLY[each_source]}"
    assert lines[1].startswith("  left out: 2 Tweets for days that the API refused as too old on 2026-02-01 (")
    assert lines[1].endswith("), asked for again from 2026-02-08, or with engagement pull --ask-refused")
    assert lines[2] == f"2026-01-18 to 2026-01-31: 1 request to /{HOURLY[each_source]}"


def test_a_pull_of_days_that_were_refused_asks_for_nothing_and_fails_in_one_line(short, each_source):
    settings = chosen(short, each_source)
    pulled(settings)
    failure = str(pulled(settings, FIRST, FIRST + timedelta(days=6)).failure)
    assert "nothing was asked for days that the API refused as too old on 2026-02-01 (" in failure
    assert "\n" not in failure
    assert sent(short, each_source) == 2


def test_a_backfill_is_refused_once_for_all_its_windows_and_gets_the_days_that_are_served(short, each_source):
    settings = chosen(short, each_source)
    assert pulled(settings, date(2025, 10, 1), LAST).failure
    assert sent(short, each_source) == 3  # the first window, what is served of another, and the last
    assert {outcome for day, (outcome, _) in outcomes(settings).items() if day >= OLDEST} == {"stored"}


def test_days_that_were_answered_once_keep_their_answer_when_they_become_too_old(short, each_source):
    settings = chosen(short, each_source)
    pulled(settings, OLDEST, LAST)
    pulled(settings)
    before = outcomes(settings)
    refused_windows.learn_too_old(
        Lake(settings.data).of(each_source),
        HOURLY[each_source],
        refused_windows.TooOld(oldest=datetime(2026, 1, 20, tzinfo=UTC), at=NOW, text="older than 12 days"),
    )
    pulled(settings)
    assert outcomes(settings)[OLDEST] == before[OLDEST] == ["stored", None]


def test_what_was_refused_is_asked_for_again_after_a_week_and_no_day_beside_it_waits(short, each_source):
    pulled(chosen(short, each_source))
    for days, asked in ((6, [0, 1]), (8, [1, 1]), (-8, [1, 1])):  # the clock may have been far ahead
        later = chosen(short, each_source, now=(NOW + timedelta(days=days)).isoformat())
        last = min(LAST, later.last_whole_day())
        plans = prepare(later, FIRST, last, endpoint=HOURLY[each_source]).plans
        assert [len(planned.requests) for planned in plans] == asked
        assert [day for planned in plans for day in planned.window.days()][-1] == last


def test_what_is_refused_once_more_fails_no_pull_that_was_answered(short):
    settings = chosen(short, "x_api_v2")
    pulled(settings)
    outcome = pulled(settings, ask_refused=True)
    assert outcome.failure is None
    assert sent(short, "x_api_v2") == 4
    assert "too old" in str(pulled(settings, FIRST, FIRST).failure)


def test_days_that_are_served_after_all_are_no_longer_called_too_old(short):
    settings = chosen(short, "x_api_v2")
    pulled(settings)
    short.emulator.v2.faults.set(oldest_days=0)
    assert pulled(settings, ask_refused=True).failure is None
    assert refused_windows.too_old(Lake(settings.data).of("x_api_v2"), HOURLY["x_api_v2"]) is None
    assert {outcome for outcome, _ in outcomes(settings).values()} == {"stored"}
    assert len(prepare(settings, FIRST, LAST, endpoint=HOURLY["x_api_v2"]).plans) == 1


def test_the_sums_of_days_that_are_too_old_are_not_asked_for_either(short):
    settings = chosen(short, "x_api_v2", x_audit="always")
    pulled(settings)
    assert sent(short, "x_api_v2") == 3
    plans = prepare(settings, FIRST, LAST, endpoint=HOURLY["x_api_v2"]).plans
    assert [len(planned.requests) for planned in plans] == [0, 0, 1, 1]


def test_windows_that_are_served_after_all_are_long_again(short):
    settings = chosen(short, "x_api_v2")
    short.emulator.v2.faults.set(oldest_days=0, longest_window_days=7)
    pulled(settings)
    assert len(pulled(settings).reports) == 4
    short.emulator.v2.faults.set(longest_window_days=0)
    assert len(pulled(settings, ask_refused=True).reports) == 1
    assert len(pulled(settings).reports) == 1


def test_the_options_of_the_command_ask_for_what_was_refused(short, engagement, monkeypatch):
    for name, value in short.environment.items():
        monkeypatch.setenv(name, value)
    arguments = ("--source", "engagement", "--from", str(FIRST), "--to", str(LAST))
    assert engagement("pull", *arguments)[0] == 1
    assert "2026-01-17: 0 requests" in engagement("plan", *arguments)[1]
    assert "2026-01-17: 1 request" in engagement("plan", *arguments, "--ask-refused")[1]
    told = " ".join(engagement("status")[1].split())
    assert "left out /historical: days before 2026-01-18, refused as too old on 2026-02-01 (start is before" in told
    assert engagement("pull", *arguments, "--ask-refused")[0] == 0
