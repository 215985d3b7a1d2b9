"""The budget, on a clock of our own: nothing here waits."""

import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from engagement_pipeline.pacing import Budget

ROUNDING = 1e-6  # seconds; sums of floating-point gaps


class Clock:
    """A clock that moves when somebody sleeps; sleeping past what another thread slept moves it no further."""

    def __init__(self, start=1_000.0):
        self.now = start
        self.lock = threading.Lock()
        self.slept = []

    def __call__(self):
        with self.lock:
            return self.now

    def sleep(self, seconds):
        with self.lock:
            self.slept.append(seconds)
            self.now += seconds


def paced(per_minute):
    clock = Clock()
    return Budget(per_minute, clock=clock, sleep=clock.sleep), clock


def taken(budget, clock, number):
    """Return when each of so many slots was taken."""
    times = []
    for _ in range(number):
        budget.wait()
        times.append(clock())
    return times


def most_in_a_minute(times):
    """Return the most slots in any 60 seconds, wherever they begin."""
    return max(
        sum(1 for time in times[i : i + 10_000] if time < start + 60 - ROUNDING) for i, start in enumerate(times)
    )


@pytest.mark.parametrize(("per_minute", "number"), [(1, 50), (7, 500), (60, 1_500), (450, 3_000)])
def test_no_60_seconds_ever_see_more_than_the_rate(per_minute, number):
    budget, clock = paced(per_minute)
    assert most_in_a_minute(taken(budget, clock, number)) == per_minute


def test_the_whole_rate_is_used_when_requests_wait():
    budget, clock = paced(60)
    times = taken(budget, clock, 601)
    assert times[-1] - times[0] == pytest.approx(600)


def test_the_first_request_leaves_at_once():
    budget, clock = paced(1)
    budget.wait()
    assert clock.slept == []


def test_idle_time_is_not_saved_up_for_a_burst():
    budget, clock = paced(60)
    budget.wait()
    clock.now += 3_600
    times = taken(budget, clock, 120)
    assert most_in_a_minute(times) == 60


def test_uneven_requests_keep_to_the_rate_too():
    budget, clock = paced(30)
    times = []
    for place in range(2_000):
        clock.now += (place * 7919 % 97) / 40  # from no time at all to beyond the gap
        times += taken(budget, clock, 1)
    assert most_in_a_minute(times) <= 30


def test_a_closed_budget_hands_out_nothing_until_it_opens_and_then_no_burst():
    budget, clock = paced(60)
    budget.wait()
    closed_until = clock() + 42
    budget.close_for(42)
    times = taken(budget, clock, 100)
    assert times[0] == pytest.approx(closed_until)
    assert most_in_a_minute(times) == 60


def test_the_longest_closure_counts():
    budget, clock = paced(60)
    start = clock()
    budget.close_for(50)
    budget.close_for(5)
    budget.wait()
    assert clock() == pytest.approx(start + 50)


def test_whoever_has_a_slot_already_is_held_as_well_when_the_budget_closes():
    """A slot of the closed time is given back, and a new one waited for."""
    clock = Clock()
    closings = iter([30.0])

    def sleep(seconds):
        clock.sleep(seconds)
        for closing in closings:
            budget.close_for(closing)  # another thread gets its 429 while this one sleeps

    budget = Budget(60, clock=clock, sleep=sleep)
    budget.wait()
    budget.wait()
    assert clock() >= 1_000 + 1 + 30 - ROUNDING


def test_after_cancel_every_wait_ends_with_a_cancelled_error():
    budget, _ = paced(60)
    budget.cancel()
    for wait in (budget.wait, lambda: budget.sleep(5), lambda: budget.sleep(0)):
        with pytest.raises(CancelledError):
            wait()


def test_cancel_wakes_whoever_sleeps():
    """With the real clock: the slots are minutes away, so only the cancel can end these waits."""
    budget = Budget(1)
    budget.wait()
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(budget.wait) for _ in range(3)] + [pool.submit(budget.sleep, 600)]
        budget.cancel()
        assert all(isinstance(wait.exception(timeout=60), CancelledError) for wait in waits)


def test_a_back_off_takes_no_slot():
    budget, clock = paced(60)
    budget.sleep(0.25)
    before = clock()
    budget.wait()
    assert clock() == before


@pytest.fixture
def _hurried_threads():
    """Let threads take turns as often as Python can, so that one that is not guarded is caught."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hurried_threads")
def test_threads_never_share_a_slot():
    """The clock stands still, so each wait asks for the sleep until its own slot: the gaps, one by one."""
    asked = []
    budget = Budget(60, clock=lambda: 0.0, sleep=asked.append)
    with ThreadPoolExecutor(16) as pool:
        waits = [pool.submit(budget.wait) for _ in range(2_000)]
    for wait in waits:
        wait.result()
    assert sorted(asked) == [float(slot) for slot in range(1, 2_000)]
