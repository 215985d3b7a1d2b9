"""Outages of seconds to an hour, at contracts of 60 to 1,200 requests a minute, on a clock that no test waits for."""

from datetime import date, timedelta

import pytest
from bodies import NEVER_STALE, TYPES, at, body, nothing
from scripted_api import ACCOUNTS, Answer, Clock, ScriptedApi, asking_of, error

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import PullError
from engagement_pipeline.core.model import Plan, Request, Window
from engagement_pipeline.core.orchestration import OUTAGE_PAUSE
from engagement_pipeline.core.settings import PATIENCE_MINUTES
from engagement_pipeline.extract import puller
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.transport.patience import PAUSES

WINDOW = Window(date(2026, 1, 30), date(2026, 1, 31))
IN_FLIGHT = 8  # at 1,200 a minute, answers take 0.4 s then
REQUESTS, ANSWERED = 60, 20  # of a pull, and of those before the outage
EARLY = len(PAUSES) - 1  # probes that follow sooner than one a minute


class Outage:
    """An API of `clock` that answers nothing for `lasting`, once ANSWERED requests are answered."""

    def __init__(self, clock, lasting):
        self.clock, self.lasting = clock, lasting.total_seconds()
        self.began = None
        self.answered, self.wasted = [], []

    @property
    def ended(self):
        return self.began + self.lasting

    def __call__(self, received):
        now = self.clock()
        if self.began is None and len(self.answered) == ANSWERED:
            self.began = now
        if self.began is not None and now < self.ended:
            self.wasted.append(now)
            return error(503, "over capacity")
        self.answered.append(now)
        return Answer(body=body({}))


def rest(pull):
    """Return the plan of what has not landed, a Tweet a request."""
    landed = {tweet for item in pull.landed() for tweet in item.request.tweet_ids}
    requests = tuple(
        Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(tweet,), window=WINDOW, types=TYPES)
        for tweet in range(1, REQUESTS + 1)
        if tweet not in landed
    )
    return Plan(endpoint=HISTORICAL, window=WINDOW, types=TYPES, requests=requests)


@pytest.fixture
def pulled(tmp_path, monkeypatch):
    """Return a function that pulls through an outage, as Dagster's runs do; it gives the outage and the pulls."""
    monkeypatch.setattr(puller, "MAX_IN_FLIGHT", IN_FLIGHT)

    def pull(lasting, *, per_minute, minutes=PATIENCE_MINUTES):
        clock = Clock()
        outage = Outage(clock, lasting)
        pull = raw.begin(Lake(tmp_path), nothing(WINDOW), now=at(1), resume=NEVER_STALE)
        runs = 0
        with ScriptedApi(outage) as api:
            while (plan := rest(pull)).requests:
                runs += 1
                try:
                    with asking_of(
                        api.url, ACCOUNTS, clock, per_minute=per_minute, patience_minutes=minutes, tries=6
                    ) as client:
                        puller.run(plan, pull, client=client)
                except PullError:
                    clock.sleep(OUTAGE_PAUSE.total_seconds())
        return outage, runs

    return pull


@pytest.mark.parametrize("per_minute", [pytest.param(60, marks=pytest.mark.faults), 300, 1200])
@pytest.mark.parametrize(
    ("lasting", "runs"),
    [(timedelta(seconds=3), 1), (timedelta(minutes=1), 1), (timedelta(minutes=10), 1), (timedelta(hours=1), 4)],
)
def test_a_pull_completes_after_an_outage_and_wastes_a_request_a_minute_at_most(pulled, lasting, runs, per_minute):
    """Beyond a first burst: what was in flight, and the first probes, thanks to which a short outage stays short.

    An answer more than requests is that of a probe which asked again for what was answered.
    """
    outage, pulls = pulled(lasting, per_minute=per_minute)
    assert REQUESTS <= len(outage.answered) <= REQUESTS + pulls
    assert pulls <= runs
    assert len(outage.wasted) <= lasting / timedelta(minutes=1) + IN_FLIGHT + EARLY


@pytest.mark.parametrize("per_minute", [60, 300, 1200])
def test_an_outage_of_seconds_costs_seconds(pulled, per_minute):
    outage, _ = pulled(timedelta(seconds=3), per_minute=per_minute)
    assert outage.answered[ANSWERED] - outage.ended < 10


@pytest.mark.parametrize("per_minute", [60, 300, 1200])
def test_the_end_of_a_long_outage_is_seen_within_a_minute_and_the_answer_to_it(pulled, per_minute):
    outage, _ = pulled(timedelta(minutes=10), per_minute=per_minute)
    assert outage.answered[ANSWERED] - outage.ended < 60 + 60 / per_minute + 1


def test_at_a_terminal_an_outage_of_two_minutes_ends_no_pull(pulled):
    outage, pulls = pulled(timedelta(minutes=2), per_minute=300, minutes=3)
    assert (outage.answered[-1] > outage.ended, pulls) == (True, 1)
