"""Patience on a clock of its own: who may leave while the API is down, and whose failure a failure is."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from scripted_api import Clock

from engagement_pipeline.core.errors import OutageError, UnavailableError
from engagement_pipeline.transport.patience import PAUSES, Failures, Patience

DOWN = UnavailableError("https://api answered 503: try again later.", account="ann", status=503, texts=["busy"])


def waiting(minutes=15):
    """Return a patience that knows that the API is there, and its clock."""
    clock = Clock()
    patience = Patience(minutes, clock=clock, sleep=clock.sleep)
    answer(patience)
    return patience, clock


def no_slot():
    """Stand for a budget with free slots."""


def fail(patience, before=None):
    with patience.turn(no_slot) as turn:
        return patience.failed(turn.number, DOWN, before or Failures())


def answer(patience):
    with patience.turn(no_slot) as turn:
        patience.answered(turn.number)


def test_nobody_waits_while_the_api_answers():
    patience, clock = waiting()
    for _ in range(3):
        answer(patience)
    assert clock.seconds == 0


def test_the_first_request_of_a_pull_goes_alone_until_its_outcome_is_known():
    """So a pull that begins in an outage wastes one request, and not as many as it could have in flight."""
    patience = Patience(15)
    left = threading.Event()
    with ThreadPoolExecutor(1) as pool, patience.turn(no_slot) as first:
        second = pool.submit(lambda: answer(patience) or left.set())
        while not patience._line._waiting:
            pass
        assert not left.is_set()
        patience.answered(first.number)
    assert second.exception() is None


def test_probes_follow_soon_at_first_and_then_one_a_minute():
    patience, clock = waiting()
    left = []
    for _ in range(7):
        fail(patience)
        left.append(clock.seconds)
    assert left == [0, 1, 5, 25, 85, 145, 205]


def test_an_answer_lets_all_others_go_at_once():
    patience, clock = waiting()
    for _ in range(6):
        fail(patience)
    answer(patience)
    before = clock.seconds
    answer(patience)
    assert clock.seconds == before


def test_after_an_answer_the_next_outage_begins_anew():
    patience, clock = waiting()
    for _ in range(6):
        fail(patience)
    answer(patience)
    clock.naps.clear()
    fail(patience)
    fail(patience)
    assert clock.naps == [PAUSES[0]]


def test_what_was_in_flight_already_puts_no_probe_off():
    patience, clock = waiting()
    with (
        patience.turn(no_slot) as first,
        patience.turn(no_slot) as second,
        patience.turn(no_slot) as third,
    ):
        for turn in (first, second, third):
            patience.failed(turn.number, DOWN, Failures())
    fail(patience)
    assert clock.seconds == PAUSES[0]


@pytest.mark.parametrize("minutes", [1, 3, 15])
def test_the_last_probe_leaves_when_patience_ends(minutes):
    patience, clock = waiting(minutes)
    while clock.seconds < minutes * 60:
        fail(patience)
    with pytest.raises(OutageError, match=f"answered 503.*nothing for {minutes} min") as caught:
        fail(patience)
    assert clock.seconds == minutes * 60
    assert (caught.value.status, caught.value.texts) == (503, ("busy",))


def test_without_patience_the_first_probe_leaves_at_once_and_is_the_last():
    patience, clock = waiting(0)
    fail(patience)
    fail(patience)
    with pytest.raises(OutageError):
        answer(patience)
    assert clock.seconds == 0


def test_a_late_answer_ends_an_outage_after_all():
    """Of a request that was sent before: the API is there."""
    patience, clock = waiting(0)
    with patience.turn(no_slot) as slow:
        fail(patience)
        fail(patience)
        patience.answered(slow.number)
    answer(patience)  # else it raises an OutageError
    assert clock.seconds == 0


def test_one_probe_leaves_at_a_time():
    """The line is theirs who are answered; here each of eight threads fails, and no two at once."""
    patience, _ = waiting(60)
    fail(patience)
    inside, most = [], []

    def probe(_):
        with patience.turn(no_slot) as turn:
            inside.append(turn)
            most.append(len(inside))
            patience.failed(turn.number, DOWN, Failures())
            inside.remove(turn)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(probe, range(40)))
    assert max(most) == 1


def test_the_probe_is_who_waited_longest():
    """So another request asks than the one that has just failed."""
    patience, _ = waiting(60)
    fail(patience)
    order = []

    def probe(name):
        with patience.turn(no_slot) as turn:
            order.append(name)
            patience.failed(turn.number, DOWN, Failures())

    with ThreadPoolExecutor(3) as pool, patience.turn(no_slot) as first:
        for place, name in enumerate("abc", 1):
            pool.submit(probe, name)
            while len(patience._line._waiting) < place:
                pass
        patience.failed(first.number, DOWN, Failures())
    assert order == ["a", "b", "c"]


def test_a_failure_after_which_a_later_request_was_answered_is_the_request_s_own():
    patience, clock = waiting()
    failures = fail(patience)
    assert failures.own == 0
    answer(patience)
    waited = clock.seconds
    assert fail(patience, failures).own == 2
    answer(patience)
    assert clock.seconds == waited, "it says nothing about the API"


def test_a_failure_is_not_its_own_where_only_an_earlier_request_was_answered():
    """That says how the API was before."""
    patience, _ = waiting()
    with patience.turn(no_slot) as earlier:
        failures = fail(patience)
        patience.answered(earlier.number)
    assert fail(patience, failures).own == 0


def test_a_request_that_fails_alone_goes_on_to_do_so_without_others():
    patience, clock = waiting()
    failures = fail(patience)
    answer(patience)
    waited = clock.seconds
    for own in (2, 3, 4):
        failures = fail(patience, failures)
        assert failures.own == own
    assert clock.seconds == waited


def test_in_an_outage_no_failure_is_a_request_s_own():
    patience, _ = waiting()
    alone = fail(patience)
    answer(patience)
    alone = fail(patience, alone)
    fail(patience)
    assert fail(patience, alone).own == alone.own


def test_who_waits_for_its_slot_when_an_outage_begins_waits_for_a_probe_too():
    """At 1 request a minute a slot takes a minute to come."""
    patience, clock = waiting()
    slots = []

    def slot():
        slots.append(clock.seconds)
        if len(slots) == 1:
            patience.failed(in_flight.number, DOWN, Failures())

    with patience.turn(no_slot) as in_flight, patience.turn(slot):
        assert slots == [0, PAUSES[0]]


def test_cancel_ends_the_wait_for_a_probe_and_any_later_one():
    patience = Patience(60)
    for _ in range(2):
        fail(patience)
    with ThreadPoolExecutor(2) as pool:
        waiters = [pool.submit(answer, patience) for _ in range(2)]
        patience.cancel()
        assert [type(waiter.exception()) for waiter in waiters] == [CancelledError] * 2
    with pytest.raises(CancelledError):
        answer(patience)


def test_requests_leave_again_once_patience_goes_on():
    patience = Patience(60)
    patience.cancel()
    patience.go_on()
    with patience.turn(no_slot) as turn:
        assert turn.number


def test_an_answer_in_flight_wakes_who_waits_for_a_probe():
    patience = Patience(60)
    answer(patience)
    with patience.turn(no_slot) as slow:
        for _ in range(2):
            fail(patience)
        with ThreadPoolExecutor(1) as pool:
            waiter = pool.submit(answer, patience)
            patience.answered(slow.number)
            assert waiter.exception() is None


def test_an_outage_is_told_once_it_lasts_and_when_it_ends(caplog):
    patience, _ = waiting()
    fail(patience)
    fail(patience)
    assert caplog.messages == []
    for _ in range(4):
        fail(patience)
    answer(patience)
    assert caplog.messages == [
        "https://api answered 503: try again later; waiting until it answers, 15 min at most",
        "the API answers again, after 205 s",
    ]
