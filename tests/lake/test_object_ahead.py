"""Objects got ahead: several at once, in order, few in memory, and never another content than the store has."""

import errno
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event, Lock, Semaphore

import pytest

from engagement_pipeline.core.errors import StoreError
from engagement_pipeline.lake import object_ahead
from engagement_pipeline.lake.object_ahead import AT_ONCE, Ahead
from engagement_pipeline.lake.objects import Held

KEYS = [f"{number:03}" for number in range(3 * AT_ONCE)]


class Store:
    """Objects in memory, each of which holds its key; it answers nobody before it is let go."""

    bucket = "az://b"

    def __init__(self):
        self.asked, self.arrived = [], Semaphore(0)
        self.let_go = Event()
        self.faults = {}
        self._lock = Lock()

    def get(self, key, *, most=None):
        with self._lock:
            self.asked.append(key)
        self.arrived.release()
        self.let_go.wait()
        if fault := self.faults.pop(key, None):
            raise fault
        content = key.encode()
        return content if most is None or len(content) <= most else b"", Held(key, len(content), "t", datetime.now(UTC))

    def wait_for(self, number):
        for _ in range(number):
            assert self.arrived.acquire(timeout=60)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def ahead(store):
    ahead = Ahead(store, KEYS)
    yield ahead
    store.let_go.set()
    ahead.close()


def test_the_first_are_asked_for_at_once_and_no_more_than_that(store, ahead):
    store.wait_for(AT_ONCE)
    assert sorted(store.asked) == KEYS[:AT_ONCE]


def test_with_each_that_is_read_the_next_is_asked_for(store, ahead):
    store.let_go.set()
    store.wait_for(AT_ONCE)
    assert ahead.get(KEYS[0])[0] == KEYS[0].encode()
    store.wait_for(1)
    assert sorted(store.asked) == KEYS[: AT_ONCE + 1]


def test_each_is_asked_for_once_however_often_and_in_whatever_order_it_is_read(store, ahead):
    store.let_go.set()
    read = [ahead.get(key)[0].decode() for key in [*reversed(KEYS), *KEYS]]
    assert read == [*reversed(KEYS), *KEYS]
    assert sorted(store.asked) == KEYS


def test_what_nobody_has_named_is_not_got_ahead(store, ahead):
    assert ahead.get("another") is None


def test_one_that_there_is_not_is_told_as_often_as_it_is_asked_for(store, ahead):
    store.faults[KEYS[0]] = FileNotFoundError(errno.ENOENT, "No such file", KEYS[0])
    store.let_go.set()
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="'az://b/000'"):
            ahead.get(KEYS[0])


def test_what_the_store_refuses_is_told_once_and_then_left_to_who_asks(store, ahead):
    store.faults[KEYS[0]] = StoreError(errno.ETIMEDOUT, "the store does not answer: wait until it works", "az://b/000")
    store.let_go.set()
    with pytest.raises(StoreError, match="does not answer"):
        ahead.get(KEYS[0])
    assert ahead.get(KEYS[0]) is None


def test_one_that_is_written_meanwhile_is_left_to_who_asks(store, ahead):
    store.let_go.set()
    ahead.get(KEYS[0])
    for key in (KEYS[0], KEYS[1], KEYS[-1]):
        ahead.drop(key)
        assert ahead.get(key) is None


def test_a_large_one_is_left_to_who_asks_and_so_are_those_behind_it(store, monkeypatch):
    monkeypatch.setattr(object_ahead, "MOST", 2)
    ahead = Ahead(store, KEYS)
    store.wait_for(AT_ONCE)
    store.let_go.set()
    assert ahead.get(KEYS[0]) is None
    assert ahead.get(KEYS[-1]) is None
    assert sorted(store.asked) == KEYS[:AT_ONCE]
    ahead.close()


def test_what_was_read_first_goes_when_there_is_no_room(store, ahead, monkeypatch):
    monkeypatch.setattr(object_ahead, "KEPT", 7)
    store.let_go.set()
    for key in KEYS[:3]:
        ahead.get(key)
    assert [ahead.get(key) is None for key in KEYS[:3]] == [True, False, False]


def test_after_the_end_nothing_is_asked_for_any_more(store, ahead):
    store.wait_for(AT_ONCE)
    ahead.close()
    store.let_go.set()
    ahead.get(KEYS[0])
    assert len(store.asked) == AT_ONCE


def test_another_thread_gets_what_it_waits_for_though_the_end_has_come(store, ahead, monkeypatch):
    store.wait_for(AT_ONCE)
    begun, really = Event(), ahead._begin

    def begin(key):
        really(key)
        begun.set()

    monkeypatch.setattr(ahead, "_begin", begin)
    with ThreadPoolExecutor(1) as pool:
        got = pool.submit(ahead.get, KEYS[-1])
        begun.wait()
        ahead.close()
        store.let_go.set()
        assert got.result()[0] == KEYS[-1].encode()
