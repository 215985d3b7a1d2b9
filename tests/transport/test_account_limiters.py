"""A budget for each account, where the API gives each a rate of its own."""

from concurrent.futures import CancelledError

import pytest

from engagement_pipeline.core.model import Rate
from engagement_pipeline.transport.rate_limit import AccountLimiters, RateLimiter


class Clock:
    """Time that only passes where somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def limiters(clock):
    return AccountLimiters(lambda handle: RateLimiter(300, seconds=900, account=handle, clock=clock, sleep=clock.sleep))


def test_slots_are_even_over_the_seconds_of_the_rate():
    clock = Clock()
    limiter = RateLimiter(300, seconds=900, clock=clock, sleep=clock.sleep)
    for _ in range(300):
        limiter.wait()
    assert clock.now == pytest.approx(900 / 0.985, rel=0.001)


def test_an_account_takes_no_slot_of_another():
    clock = Clock()
    budgets = limiters(clock)
    first, second = budgets.of("ann"), budgets.of("bob")
    first.wait()
    waited = clock.now
    second.wait()
    assert clock.now == waited
    assert budgets.of("ann") is first


def test_after_a_cancellation_nobody_waits_whether_known_or_new():
    budgets = limiters(Clock())
    known = budgets.of("ann")
    budgets.cancel()
    for limiter in (known, budgets.of("bob")):
        with pytest.raises(CancelledError):
            limiter.wait()
    budgets.go_on()
    for handle in ("ann", "bob", "eve"):
        budgets.of(handle).wait()


def test_what_the_api_says_otherwise_is_told_with_the_setting_s_name(caplog):
    RateLimiter(300, seconds=900, setting="x_requests_per_15_minutes").correct(Rate(limit=900))
    assert "allows 900 requests in 15 minutes and the setting x_requests_per_15_minutes says 300" in caplog.text


def test_a_long_wait_is_told_once_with_the_account(caplog):
    clock = Clock()
    limiter = limiters(clock).of("ann")
    for left in (840, 840):  # of answers that come a second apart
        limiter.correct(Rate(remaining=0, reset_in=left))
        clock.now += 1
    assert caplog.records == []  # as long as nobody waits
    limiter.wait()
    told = "the API allows account ann no more requests for 14 min, since its rate is used up: waiting"
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [told]
    limiter.correct(Rate(remaining=0, reset_in=900))
    limiter.wait()
    assert len(caplog.records) == 2


def test_a_wait_of_a_minute_is_no_news(caplog):
    limiter = limiters(Clock()).of("ann")
    limiter.correct(Rate(remaining=0, reset_in=61))
    limiter.wait()
    assert caplog.records == []
