"""Publishing that is killed, crowded or out of space: the next one ends with the right tables."""

import errno
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest
from bodies import WINDOW, at, begin, full, land, pulled, revisions
from tables import counts, outcomes, parquet_files

from engagement_pipeline import raw
from engagement_pipeline.errors import LakeError
from engagement_pipeline.lake import Lake
from engagement_pipeline.publish import publish

SECOND = WINDOW.last
PUBLISH = (
    "import sys; from pathlib import Path; from engagement_pipeline import lake, publish; "
    "publish.publish(lake.Lake(Path(sys.argv[1])))"
)


class Killed(BaseException):
    """A process that ends here and now."""


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def replacing(monkeypatch, what):
    """Let `what(k)` happen at the k-th rename, before it is done; return the list of the renames."""
    renames = []
    really = os.replace

    def counted(source, target):
        renames.append(target)
        what(len(renames))
        really(source, target)

    monkeypatch.setattr(os, "replace", counted)
    return renames


def dies_at(place):
    def die(number):
        if number == place:
            raise Killed

    return die


def test_a_publication_that_dies_at_any_rename_is_made_good_by_the_next(lake, tmp_path, monkeypatch):
    """Over a lake that holds older rows, with Tweets that go and Tweets that come."""
    place, survived = 0, False
    while not survived:
        place += 1
        lake = Lake(tmp_path / f"lake{place}")
        pulled(lake, full([1, 2, 3], 1), at(1))
        publish(lake)
        pulled(lake, full([2, 4], 2), at(2), tweets=[2, 3, 4], unavailable_tweet_ids=["3"])
        with monkeypatch.context() as patch:
            replacing(patch, dies_at(place))
            try:
                publish(lake)
                survived = True
            except Killed:
                pass
        publish(lake)
        assert counts(lake) == full([1, 3], 1) | full([2, 4], 2)
        assert outcomes(lake) == {(1, "stored"), (2, "stored"), (3, "unavailable"), (4, "stored")}
        assert raw.open_pulls(lake.raw) == []
        assert not lake.aside.exists()
    assert place > 4  # two days of rows, two of coverage, and the mark


def test_a_publication_that_died_is_made_good_by_a_newer_pull_too(lake, monkeypatch):
    pulled(lake, full([1, 2], 1), at(1))
    with monkeypatch.context() as patch:
        replacing(patch, dies_at(2))
        with pytest.raises(Killed):
            publish(lake)
    pulled(lake, full([2], 2), at(2))
    publish(lake)
    assert counts(lake) == full([1], 1) | full([2], 2)


def test_two_processes_that_publish_at_once_end_right(lake):
    truth = revisions(lake)
    both = [subprocess.Popen([sys.executable, "-c", PUBLISH, str(lake.root)]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert counts(lake) == truth
    assert raw.open_pulls(lake.raw) == []


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def small_files(size):
    """Let the system itself refuse to write any file past `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def failing(function):
    """Let a function of the system say that the disk is full."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, function, no_space)
        yield


@pytest.mark.parametrize(
    "trouble", [small_files(100), failing("fsync"), failing("replace")], ids=["write", "sync", "rename"]
)
def test_a_full_disk_leaves_the_tables_as_they_were_and_says_so_in_one_line(lake, trouble):
    pulled(lake, full([1], 1), at(1))
    publish(lake)
    before = parquet_files(lake)
    pulled(lake, full([1, 2], 2), at(2))
    with (
        trouble,
        pytest.raises(LakeError, match=r"(No space left|File too large).*the tables are as they were") as caught,
    ):
        publish(lake)
    assert "\n" not in str(caught.value)
    assert parquet_files(lake) == before
    assert not lake.aside.exists()
    publish(lake)
    assert counts(lake) == full([1, 2], 2)


@pytest.mark.parametrize("table", ["engagements", "coverage"])
@pytest.mark.parametrize("damage", [b"", b"no parquet", b"PAR1 cut off PAR1"])
def test_a_damaged_parquet_is_named_and_what_the_message_says_mends_it(lake, table, damage):
    pulled(lake, full([1, 2], 1), at(1))
    publish(lake)
    path = getattr(lake, table)(SECOND)
    path.write_bytes(damage)
    pulled(lake, full([2], 2), at(2))
    with pytest.raises(LakeError, match="damaged") as caught:
        publish(lake)
    assert str(path) in str(caught.value)
    assert "move it away and pull its days again" in str(caught.value)
    path.unlink()
    pulled(lake, full([1, 2], 3), at(3))
    publish(lake)
    assert counts(lake) == full([1, 2], 3)


def test_a_landed_body_that_does_not_add_up_is_named(lake):
    """It can only get there past the puller's audit; the tables stay as they were."""
    pull = begin(lake, at(1))
    path = land(pull, full([1], 1), by_type={"impressions": "5"})
    with pytest.raises(LakeError, match="does not add up") as caught:
        publish(lake)
    assert str(path) in str(caught.value)
    assert parquet_files(lake) == {}
