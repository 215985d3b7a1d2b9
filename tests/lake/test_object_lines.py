"""Lines that wait at the same time are put together, and none is lost or told before it is in the store."""

import errno
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import pytest

from engagement_pipeline.core.errors import StoreError
from engagement_pipeline.lake import object_lines
from engagement_pipeline.lake.object_lines import Lines

OTHERS = 40


class Store:
    """Objects in memory; the first put is answered once it is let go, by then with `fault` if there is one."""

    def __init__(self):
        self.held = {}
        self.puts = 0
        self.asked, self.let_go = Event(), Event()
        self.fault = None

    def put(self, key, content):
        self.puts += 1
        if not self.asked.is_set():
            self.asked.set()
            self.let_go.wait()
        if self.fault:
            raise self.fault
        self.held[key] = content

    def lines(self):
        return b"".join(self.held[key] for key in sorted(self.held)).splitlines()


class Arriving(list):
    """What waits, counted as it arrives."""

    def __init__(self):
        super().__init__()
        self.arrived = Semaphore(0)

    def append(self, item):
        super().append(item)
        self.arrived.release()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def lines(store):
    lines = Lines(store, "requests/2026-01.jsonl")
    lines._waiting = Arriving()
    return lines


@pytest.fixture
def pool():
    with ThreadPoolExecutor(OTHERS + 1) as pool:
        yield pool


def waiting(pool, store, lines):
    """Have a line on its way to the store and the others wait for it; return what becomes of each, in order."""
    asked = [pool.submit(lines.append, b"0")]
    store.asked.wait()
    lines._waiting.arrived.acquire()
    for number in range(1, OTHERS + 1):
        asked.append(pool.submit(lines.append, b"%d" % number))
        lines._waiting.arrived.acquire()
    return asked


def test_all_lines_that_wait_are_put_at_once_in_their_order(store, lines, pool):
    asked = waiting(pool, store, lines)
    store.let_go.set()
    for each in asked:
        each.result()
    assert store.puts == 2
    assert store.lines() == [b"%d" % number for number in range(OTHERS + 1)]


def test_nobody_goes_on_before_its_line_is_in_the_store(store, lines, pool):
    asked = waiting(pool, store, lines)
    assert not any(each.done() for each in asked)
    store.let_go.set()
    for number, each in enumerate(asked):
        each.result()
        assert b"%d" % number in store.lines()


def test_whoever_waits_is_told_what_the_store_refused_and_the_next_line_is_put(store, lines, pool):
    asked = waiting(pool, store, lines)
    store.fault = StoreError(errno.ENOSPC, "the bucket is full: make room", "s3://b/x")
    store.let_go.set()
    assert {type(each.exception()) for each in asked} == {StoreError}
    store.fault = None
    lines.append(b"next")
    assert store.lines() == [b"next"]


def test_a_thread_that_is_interrupted_takes_no_line_of_another_with_it(store, lines, pool):
    first, *others = waiting(pool, store, lines)
    puts = store.put

    def put(key, content):
        store.put = puts
        raise KeyboardInterrupt

    store.put = put
    store.let_go.set()
    first.result()
    assert [type(each.exception()) for each in others].count(KeyboardInterrupt) == 1
    assert store.lines() == [b"%d" % number for number in range(OTHERS + 1)]


def test_a_full_part_is_followed_by_another(store, lines, monkeypatch):
    monkeypatch.setattr(object_lines, "PART_BYTES", 4)
    store.asked.set()
    for number in range(4):
        lines.append(b"%d" % number)
    assert sorted(len(content) for content in store.held.values()) == [4, 4]
    assert sorted(store.lines()) == [b"0", b"1", b"2", b"3"]
