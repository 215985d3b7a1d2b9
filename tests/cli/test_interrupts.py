"""Ctrl-C at a pull in a process of its own: the first says what it waits for, the second ends it."""

import re
import signal
import subprocess
from contextlib import contextmanager
from threading import Semaphore

import pytest
from bodies import body
from processes import started
from scripted_api import Answer, ScriptedApi

PATIENCE_SECONDS = 120
REQUESTS = 4  # 100 Tweets, 25 a request
STOPPING = re.compile(r"engagement: stopping: 3 requests in flight, at most (\d+) s; Ctrl-C again to stop now\n")


@pytest.fixture
def landed(in_world):
    return lambda: len([*in_world.lake.glob("raw/historical/*/*/*.json.zst")])


@pytest.fixture
def interrupted(in_world, monkeypatch, landed):
    """Return a context with a pull that has been told to stop, its line, and what lets its answers through."""
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 25 * REQUESTS)})
    arrived, gate = Semaphore(0), Semaphore(1)

    def before():
        arrived.release()
        gate.acquire()

    @contextmanager
    def pulling():
        with ScriptedApi(Answer(body=body({})), before=before) as api:
            monkeypatch.setenv("ENGAGEMENT_API_URL", api.url)
            monkeypatch.setenv("ENGAGEMENT_TIMEOUT_SECONDS", "600")
            with started("pull", "--from", "2026-01-30", "--to", "2026-01-31", stdout=subprocess.DEVNULL) as process:
                for _ in range(REQUESTS):
                    assert arrived.acquire(timeout=PATIENCE_SECONDS)
                while not landed() and process.poll() is None:
                    with pytest.raises(subprocess.TimeoutExpired):
                        process.wait(timeout=0.02)
                process.send_signal(signal.SIGINT)
                try:
                    yield process, process.stderr.readline(), gate
                finally:
                    gate.release(REQUESTS)
                    process.kill()

    return pulling


def test_the_first_says_at_once_what_it_waits_for_and_all_of_that_lands(interrupted, landed):
    with interrupted() as (process, line, gate):
        assert 0 < int(STOPPING.fullmatch(line)[1]) <= 600
        assert landed() == 1
        gate.release(REQUESTS)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130
    assert errors == ("engagement: interrupted; what a pull has landed is kept: run the same pull again to resume it\n")
    assert landed() == REQUESTS


def test_the_second_ends_it_without_a_traceback_and_keeps_what_landed(interrupted, landed):
    with interrupted() as (process, line, _):
        assert STOPPING.fullmatch(line)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130
    assert errors == ("engagement: interrupted; what a pull has landed is kept: run the same pull again to resume it\n")
    assert landed() == 1
