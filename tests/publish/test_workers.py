"""Workers: what they are asked comes back in order, and none is left behind, whatever happens to whom."""

import os
import platform
import signal
import subprocess
import sys
from functools import partial
from hashlib import sha256

import pytest
from bodies import at, begin, full, land, pulled
from bodies import revisions as three_pulls
from tables import contents
from working import DAY, Counter, KilledAtTheEnd

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import hourly, pending, workers
from engagement_pipeline.publish.day_worker import DayWorker
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.publish.workers import WorkerEndedError, Workers

TWO = [partial(Counter, 10), partial(Counter, 20)]
HOLDS_WORKERS = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background of a shell ignores it
sys.path[:0] = sys.argv[1:]
from working import Counter
from engagement_pipeline.publish.workers import Workers

with Workers(2).each([Counter, Counter]) as members:
    members[1].ask(Counter.add, 1).result()
    print("at work", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def two():
    """Two workers, whose processes take the time of such a test to start."""
    with Workers(2) as workers:
        yield workers


@pytest.fixture
def many(monkeypatch):
    """A row is worth a worker of its own, and a range has two Tweets."""
    monkeypatch.setattr(workers, "ROWS_EACH", 1)
    monkeypatch.setattr(pending, "CHUNK_TWEETS", 2)


@pytest.fixture
def started(monkeypatch):
    """The processes that are started from now on."""
    commands, popen = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *named, **how: commands.append(named) or popen(*named, **how))
    return commands


def files(lake):
    """Return the checksum of each file of a lake, but for raw and the hidden ones."""
    found = (path for path in lake.root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {
        str(path.relative_to(lake.root)): sha256(path.read_bytes()).hexdigest()
        for path in found
        if not path.is_relative_to(lake.raw)
    }


def written(root, number):
    """Publish the same in a lake of its own and rebuild it; return what it holds after each."""
    lake = Lake(root / str(number))
    three_pulls(lake)
    pull = begin(lake, at(4))  # of two handles, the Tweets of which take turns
    land(pull, full([1, 3, 5, 7], 40), handle="ann")
    land(pull, full([2, 4, 6], 50, hours=(1, 2)), handle="bob")
    land(pull, full([2, 8], 60), handle="bob", asked_at=at(4, 30))
    pull.marked(finished=True)
    publish_pulls(lake, workers=number)
    published = files(lake)
    rebuild_table(lake, HISTORICAL, workers=number)
    return published, files(lake)


def called(workers, calls, rows=10**9):
    """Return what functions return that are dealt out to workers."""
    with workers.calling(calls, rows=rows) as found:
        return [*found]


@pytest.mark.parametrize("number", [pytest.param(2, marks=pytest.mark.faults), 3])
def test_every_file_is_the_same_whatever_the_number_of_workers(tmp_path, many, number):
    assert written(tmp_path, number) == written(tmp_path, 1)


def test_few_rows_are_published_and_rebuilt_in_this_process(tmp_path, started):
    assert all(written(tmp_path, 64))
    assert started == []


def test_a_worker_is_started_for_each_so_many_rows_and_no_more_than_allowed():
    assert [Workers(4).number(rows) for rows in (0, 7_999_999, 8_000_000, 10**9)] == [1, 1, 2, 4]


def test_each_worker_has_its_object_and_answers_in_order(two):
    with two.each(TWO) as members:
        answers = [member.ask(Counter.add, number) for number in (1, 2) for member in members]
        assert [answer.result() for answer in reversed(answers)] == [23, 13, 21, 11]
        assert len({os.getpid(), *(member.ask(Counter.process).result() for member in members)}) == 3


def test_the_processes_serve_again_with_other_objects(two):
    with two.each(TWO) as members:
        before = [member.ask(Counter.process).result() for member in members]
    with two.each([Counter, Counter]) as members:
        assert [member.ask(Counter.process).result() for member in members] == before
        assert [member.ask(Counter.add, 1).result() for member in members] == [1, 1]


def test_functions_are_dealt_out_and_come_back_in_order(two):
    assert called(two, [partial(pow, 2, exponent) for exponent in range(5)]) == [1, 2, 4, 8, 16]
    assert len({*called(two, [os.getpid] * 4), os.getpid()}) == 3
    assert {*called(two, [os.getpid] * 4, rows=0)} == {os.getpid()}


def test_a_worker_stages_files_for_a_bucket_where_who_started_it_looks(two, in_bucket):
    lake = Lake(in_bucket)
    assert called(two, [partial(getattr, lake, "staging")] * 2) == [lake.staging] * 2


def test_large_questions_and_answers_block_nobody(two):
    with two.each(TWO) as members:
        large = [members[0].ask(Counter.large, 2**20) for _ in range(3)]
        sizes = [members[0].ask(Counter.size, b"x" * 2**20) for _ in range(3)]
        assert [len(answer.result()) for answer in large] == [answer.result() for answer in sizes] == [2**20] * 3


def test_a_worker_goes_on_before_anybody_takes_its_answer(two, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with two.each(TWO) as members:
        large = members[0].ask(Counter.large, 2**24)  # more than a pipe holds
        members[0].ask(Counter.writes, tmp_path / "fifo", "a word")
        assert (tmp_path / "fifo").read_text() == "a word"  # which waits for it
        assert len(large.result()) == 2**24


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are of glibc's allocator")
def test_a_worker_keeps_the_memory_that_arrays_give_back(two):
    with two.each(TWO) as members:
        first, again = (members[0].ask(Counter.pages, 3).result() for _ in range(2))
    assert again < first / 10


def test_what_a_worker_prints_is_no_answer(two):
    with two.each(TWO) as members:
        assert members[0].ask(Counter.prints).result()


def test_an_error_comes_back_as_it_was_raised(two):
    with two.each(TWO) as members:
        damaged, fails = (members[0].ask(method) for method in (Counter.damaged, Counter.fails))
        with pytest.raises(LakeError) as caught:
            damaged.result()
        with pytest.raises(ZeroDivisionError, match="it cannot be") as failed:
            fails.result()
    assert (str(caught.value), caught.value.day) == ("a file is damaged", DAY)
    assert "in fails" in failed.value.__notes__[0]


def test_after_an_error_no_worker_is_at_work():
    processes = []

    def interrupted(some):
        with some.each(TWO) as members:
            processes.extend(member.ask(Counter.process).result() for member in members)
            raise KeyboardInterrupt

    with Workers(2) as some, pytest.raises(KeyboardInterrupt):
        interrupted(some)
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_worker_that_is_killed_is_an_error_of_one_line():
    with Workers(2) as some, pytest.raises(WorkerEndedError) as caught, some.each(TWO) as members:
        members[0].ask(Counter.is_killed).result()
    assert str(caught.value) == (
        "a worker of this publication ended with signal 9 (Killed), as where the memory is full: what was not "
        "published is as it was, and what has landed is kept. Run the same again; fewer workers need less memory "
        "(setting workers)"
    )


def test_a_publication_whose_worker_is_killed_leaves_the_tables_as_they_were(tmp_path, many, monkeypatch):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    before = contents(lake)
    pulled(lake, full([1, 2, 3], 2), at(2))
    monkeypatch.setattr(hourly, "DayWorker", KilledAtTheEnd)
    with pytest.raises(WorkerEndedError):
        publish_pulls(lake, workers=2)
    monkeypatch.setattr(hourly, "DayWorker", DayWorker)
    assert contents(lake) == before
    assert not lake.staging.exists()
    publish_pulls(lake)
    assert contents(lake) != before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_who_started_them(how):
    """They have its standard error, which ends when the last of them has."""
    held = subprocess.Popen(
        [sys.executable, "-c", HOLDS_WORKERS, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with held:
        assert held.stdout.readline() == b"at work\n"
        held.send_signal(how)
        assert b"in work" not in held.stderr.read()
