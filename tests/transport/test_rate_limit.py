"""The budget, on a clock of our own: nothing here waits."""

import logging
import sys
import threading
from bisect import bisect_left
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import cycle, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engagement_pipeline.core.model import Rate
from engagement_pipeline.sources.engagement.rate import AFTER_RESET, LONGEST_RETRY_AFTER, rate_of
from engagement_pipeline.transport.rate_limit import CATCH_UP, SHARE, RateLimiter

ROUNDING = 1e-6  # seconds; sums of floating-point gaps
NETWORK = 0.65  # seconds by which the network may delay one request more than another
LIMIT, REMAINING, RESET = "x-per-minute-limit", "x-per-minute-remaining", "x-per-minute-reset"
ASKED = datetime(2026, 2, 1, 12, 30, 42, tzinfo=UTC)
NEXT_MINUTE = int(ASKED.timestamp()) + 18

rates = st.integers(1, 200)
lateness = st.lists(st.floats(0, 5), min_size=1, max_size=10)
delays = st.lists(st.floats(0, NETWORK), min_size=1, max_size=10)


class Clock:
    """A clock that moves when somebody sleeps, by `late` seconds more than asked for."""

    def __init__(self, start=1_000.0, late=(0.0,)):
        self.now = start
        self.late = cycle(late)
        self.lock = threading.Lock()
        self.slept = []

    def __call__(self):
        with self.lock:
            return self.now

    def sleep(self, seconds):
        with self.lock:
            self.slept.append(seconds)
            self.now += seconds + next(self.late)


def paced(per_minute, **options):
    clock = Clock(**options)
    return RateLimiter(per_minute, clock=clock, sleep=clock.sleep), clock


def taken(budget, clock, number):
    """Return when each of so many slots was taken."""
    times = []
    for _ in range(number):
        budget.wait()
        times.append(clock())
    return times


def most_in_a_minute(times):
    """Return the most of `times` in any 60 seconds, wherever they begin."""
    times = sorted(times)
    return max(bisect_left(times, start + 60 - ROUNDING) - place for place, start in enumerate(times))


def gap(per_minute):
    return 60 / (SHARE * per_minute)


@given(rate=rates, late=lateness, delayed=delays)
@example(rate=1, late=[5.0, 0.0], delayed=[NETWORK, 0.0])
@example(rate=200, late=[0.0] * 9 + [5.0], delayed=[NETWORK, 0.0])
def test_no_60_seconds_of_the_api_ever_see_more_than_the_rate(rate, late, delayed):
    """Wherever they begin, whenever threads wake up, whichever requests the network delays."""
    budget, clock = paced(rate, late=late)
    times = taken(budget, clock, 2 * rate + 3)
    assert most_in_a_minute(time + delay for time, delay in zip(times, cycle(delayed), strict=False)) <= rate


@given(
    rate=rates,
    parts=st.lists(st.floats(0, 1.5), min_size=2, max_size=4),
    pauses=st.lists(st.floats(0, 90), min_size=3, max_size=3),
    late=lateness,
    delayed=delays,
)
@example(rate=1, parts=[0.0, 1.0, 1.0], pauses=[0.0] * 3, late=[0.0], delayed=[NETWORK, 0.0])
@example(rate=60, parts=[1.0, 1.0], pauses=[0.0] * 3, late=[0.0, 0.3], delayed=[NETWORK, 0.0])
def test_pulls_that_follow_each_other_keep_to_the_rate_together(rate, parts, pauses, late, delayed):
    """One budget after another, ended or killed at any moment; no state goes from one to the next."""
    clock, times = Clock(late=late), []
    for part, pause in zip(parts, cycle(pauses), strict=False):
        budget = RateLimiter(rate, clock=clock, sleep=clock.sleep)
        times += taken(budget, clock, 1 + int(part * rate))
        clock.now += pause
    assert most_in_a_minute(time + delay for time, delay in zip(times, cycle(delayed), strict=False)) <= rate


@given(limits=st.lists(st.tuples(rates, st.integers(0, 30)), min_size=1, max_size=8), late=lateness)
def test_a_rate_that_is_corrected_up_and_down_is_never_passed(limits, late):
    budget, clock = paced(limits[0][0], late=late)
    times = []
    for limit, number in limits:
        budget.correct(Rate(limit=limit))
        times += taken(budget, clock, 1 + number)
    assert most_in_a_minute(times) <= max(limit for limit, _ in limits)


@pytest.mark.parametrize("rate", [1, 2, 60, 300, 6_000])
@pytest.mark.parametrize("late", [(0.0,), (0.0, 0.2, 0.05)])
def test_98_5_percent_of_the_rate_are_used_when_requests_wait(rate, late):
    """Threads that wake up late by up to CATCH_UP cost nothing."""
    budget, clock = paced(rate, late=late)
    times = taken(budget, clock, 20 * rate + 1)
    assert times[-1] - times[0] == pytest.approx(20 * 60 / 0.985, abs=CATCH_UP + gap(rate))


@pytest.mark.parametrize("rate", [1, 2, 300])
def test_the_first_slot_comes_one_gap_after_the_start(rate):
    budget, clock = paced(rate)
    budget.wait()
    assert clock() == pytest.approx(1_000 + gap(rate))


def test_idle_time_is_not_saved_up_for_a_burst():
    budget, clock = paced(60)
    budget.wait()
    clock.now += 3_600
    times = taken(budget, clock, 120)
    assert min(later - earlier for earlier, later in pairwise(times)) >= gap(60) - CATCH_UP - ROUNDING
    assert most_in_a_minute(times) == 60


@pytest.mark.parametrize("limit", [30, 120])
def test_the_api_s_limit_sets_the_spacing_at_once(limit):
    budget, clock = paced(60)
    budget.wait()
    budget.correct(Rate(limit=limit))
    first, second = taken(budget, clock, 2)
    assert first == pytest.approx(1_000 + gap(60) + gap(limit))
    assert second - first == pytest.approx(gap(limit))


@pytest.mark.parametrize("limit", [None, 0, -5, 60])
def test_no_limit_and_none_that_is_not_positive_changes_anything(limit, caplog):
    budget, clock = paced(60)
    budget.correct(Rate(limit=limit))
    first, second = taken(budget, clock, 2)
    assert second - first == pytest.approx(gap(60))
    assert caplog.text == ""


def test_a_limit_that_is_not_the_setting_is_told_once(caplog):
    caplog.set_level(logging.INFO)
    budget, _ = paced(60)
    for _ in range(5):
        budget.correct(Rate(limit=300))
    (record,) = caplog.records
    assert record.getMessage() == (
        "the API allows 300 requests a minute and the setting requests_per_minute says 60: going on as the API says; "
        "set it to 300, so that plans tell the true time"
    )


def test_a_limit_that_is_the_setting_again_is_told_no_more(caplog):
    budget, _ = paced(60)
    for limit in (300, 60, 600):
        budget.correct(Rate(limit=limit))
    assert [record.args[0] for record in caplog.records] == [300, 600]


def test_a_limit_that_changes_while_a_slot_is_waited_for_counts_at_once():
    """With the real clock: the slot is a minute away, so only the correction can bring it near."""
    budget = RateLimiter(1)
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(budget.wait)
        budget.correct(Rate(limit=60_000_000))
        assert wait.exception(timeout=50) is None


@pytest.mark.parametrize("remaining", [None, 1, -1])
def test_only_a_remaining_zero_closes(remaining):
    budget, _ = paced(60)
    budget.correct(Rate(remaining=remaining, reset_in=30))
    assert budget.closed_for() == 0


def test_a_closed_budget_hands_out_nothing_until_it_opens_and_then_no_burst():
    budget, clock = paced(60)
    budget.wait()
    budget.correct(Rate(remaining=0, reset_in=42))
    opens = clock() + 42
    assert budget.closed_for() == pytest.approx(42)
    times = taken(budget, clock, 100)
    assert times[0] == pytest.approx(opens)
    assert most_in_a_minute(times) == 60


def test_the_longest_closure_counts():
    budget, clock = paced(60)
    for seconds in (50, 5, -20):
        budget.correct(Rate(remaining=0, reset_in=seconds))
    budget.wait()
    assert clock() == pytest.approx(1_050)


def test_a_budget_that_closes_while_a_slot_is_waited_for_holds_it_back():
    clock = Clock()
    closings = iter([30.0])

    def sleep(seconds):
        clock.sleep(seconds)
        for closing in closings:
            budget.correct(Rate(remaining=0, reset_in=closing))  # another thread gets its answer while this one sleeps

    budget = RateLimiter(60, clock=clock, sleep=sleep)
    budget.wait()
    assert clock() == pytest.approx(1_000 + gap(60) + 30)


def closed_by(headers, *, asked=ASKED, seconds=2.0, spent=False):
    """Return for how long an answer's headers close a budget of 60 a minute."""
    budget, _ = paced(60)
    budget.correct(rate_of(headers, asked_at=asked, seconds=seconds, spent=spent))
    return budget.closed_for()


def test_an_answer_s_limit_is_heeded():
    budget, clock = paced(60)
    budget.correct(rate_of({LIMIT: "300"}, asked_at=ASKED, seconds=1, spent=False))
    budget.wait()
    assert clock() == pytest.approx(1_000 + gap(300))


@pytest.mark.parametrize("limit", ["", "0", "-1", "many", "60.5", "1e3", "0x10", "120, 120", "²", "٣", "9" * 5_000])
def test_a_limit_that_is_no_number_above_zero_changes_nothing(limit):
    budget, clock = paced(60)
    budget.correct(rate_of({LIMIT: limit}, asked_at=ASKED, seconds=1, spent=False))
    budget.wait()
    assert clock() == pytest.approx(1_000 + gap(60))


@pytest.mark.parametrize(
    "headers",
    [{}, {REMAINING: ""}, {REMAINING: "none"}, {REMAINING: "-1"}, {REMAINING: "0.0"}, {REMAINING: "1"}, {RESET: "0"}],
)
def test_absent_and_malformed_headers_are_not_zero(headers):
    assert closed_by(headers) == 0


@pytest.mark.parametrize("spent", [False, True])
def test_a_spent_minute_closes_until_the_api_s_reset(spent):
    headers = {REMAINING: "0", RESET: str(NEXT_MINUTE + 5)}  # its clock is 5 s behind
    assert closed_by(headers, spent=spent) == pytest.approx(18 + 5 + AFTER_RESET - 2)


@pytest.mark.parametrize("reset", [None, "", "soon", "0", "18", str(NEXT_MINUTE - 60), str(NEXT_MINUTE + 3_600)])
@pytest.mark.parametrize("spent", [False, True])
def test_without_a_sane_reset_it_closes_until_the_next_minute_of_our_clock(reset, spent):
    headers = {REMAINING: "0"} | ({} if reset is None else {RESET: reset})
    assert closed_by(headers, spent=spent) == pytest.approx(18 + AFTER_RESET - 2)


def test_a_429_is_a_spent_minute_whatever_it_says_to_remain():
    assert closed_by({REMAINING: "7"}, spent=True) == pytest.approx(18 + AFTER_RESET - 2)


@pytest.mark.parametrize("headers", [{REMAINING: "0"}, {REMAINING: "0", RESET: str(NEXT_MINUTE)}])
@pytest.mark.parametrize("spent", [False, True])
def test_an_answer_of_the_last_minute_that_comes_late_does_not_close_this_one(headers, spent):
    assert closed_by(headers, seconds=18 + AFTER_RESET, spent=spent) == 0
    assert closed_by(headers, seconds=18.5, spent=spent) == pytest.approx(AFTER_RESET - 0.5)


def test_a_429_that_says_how_long_to_wait_is_believed():
    assert closed_by({"Retry-After": "90", RESET: str(NEXT_MINUTE)}, spent=True) == 90


@pytest.mark.parametrize(
    "text", ["0", "-3", "soon", str(int(LONGEST_RETRY_AFTER) + 1), "Sun, 01 Feb 2026 12:31:00 GMT"]
)
def test_a_retry_after_that_is_no_sane_number_of_seconds_is_not_believed(text):
    assert closed_by({"Retry-After": text}, spent=True) == pytest.approx(18 + AFTER_RESET - 2)


def test_a_retry_after_on_any_other_answer_closes_nothing():
    """A 503 has its back-off."""
    assert closed_by({"Retry-After": "90"}) == 0


def test_after_cancel_every_wait_ends_with_a_cancelled_error():
    budget, _ = paced(60)
    budget.cancel()
    for wait in (budget.wait, lambda: budget.sleep(5), lambda: budget.sleep(0)):
        with pytest.raises(CancelledError):
            wait()


def test_slots_come_again_once_a_cancelled_budget_goes_on():
    budget, clock = paced(60)
    budget.cancel()
    budget.go_on()
    budget.sleep(0)
    budget.wait()
    assert clock() == pytest.approx(1_000 + gap(60))


def test_cancel_wakes_whoever_sleeps():
    """With the real clock: the slots are minutes away, so only the cancel can end these waits."""
    budget = RateLimiter(1)
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(budget.wait) for _ in range(3)] + [pool.submit(budget.sleep, 600)]
        budget.cancel()
        assert all(isinstance(wait.exception(timeout=50), CancelledError) for wait in waits)


def test_a_back_off_takes_no_slot():
    budget, clock = paced(60)
    budget.sleep(0.25)
    budget.wait()
    assert clock() == pytest.approx(1_000 + gap(60))


@pytest.fixture
def _hurried_threads():
    """Let threads take turns as often as Python can, so that one that is not guarded is caught."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hurried_threads")
def test_threads_never_share_a_slot():
    """The clock moves by sleeping alone, so two slots in one gap would leave it behind."""
    budget, clock = paced(60)
    with ThreadPoolExecutor(16) as pool:
        waits = [pool.submit(budget.wait) for _ in range(2_000)]
    for wait in waits:
        wait.result()
    assert clock() == pytest.approx(1_000 + 2_000 * gap(60))
