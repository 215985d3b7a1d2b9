"""Publishing that is killed, crowded or out of space: the next one ends with the right tables."""

import errno
import os
import subprocess
import sys
from contextlib import contextmanager

import kills
import pytest
from bodies import WINDOW, at, begin, full, land, observed, parts, pulled, revisions, totals
from disk import full_store, small_files
from tables import counts, coverage, file_of, outcomes, parquet_files, rebuilt

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake import raw, set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import catalog

SECOND = WINDOW.last
PUBLISH = (
    "import sys; from pathlib import Path; from engagement_pipeline.lake.layout import Lake; "
    "from engagement_pipeline.publish.publisher import publish_pulls; publish_pulls(Lake(Path(sys.argv[1])))"
)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def dies_at(place, lake):
    return kills.dies_at(place, lake, PUBLISH)


def half_way(lake):
    """Make a lake that holds older rows, and a pull of Tweets that come and Tweets that go."""
    pulled(lake, full([1, 2, 3], 1), at(1))
    publish_pulls(lake)
    pulled(lake, full([2, 4], 2), at(2), tweets=[2, 3, 4], unavailable_tweet_ids=["3"])


# What is revised, the daily sums, two days of rows, the Tweets set aside, two days of coverage, the mark that the pull
# is published.
@pytest.mark.parametrize(("place", "leftovers"), [*((place, True) for place in range(1, 8)), (8, False)])
def test_a_publication_that_dies_at_any_rename_is_made_good_by_the_next(lake, place, leftovers):
    half_way(lake)
    before = counts(lake)
    truth = full([1, 3], 1) | full([2, 4], 2)
    assert dies_at(place, lake)
    assert lake.staging.exists() == leftovers
    for day in WINDOW.days():  # each as it was or as it will be, and never half
        assert of_day(counts(lake), day) in (of_day(before, day), of_day(truth, day))
    publish_pulls(lake)
    assert counts(lake) == truth
    assert outcomes(lake) == {(1, "stored"), (2, "stored"), (3, "unavailable"), (4, "stored")}
    assert [*set_aside.load(lake)] == [3]
    assert raw.open_pulls(lake) == []
    assert not lake.staging.exists()


def test_these_are_all_the_renames_of_that_publication(lake):
    half_way(lake)
    assert not dies_at(9, lake)


def of_day(cells, day):
    return {cell: count for cell, count in cells.items() if cell[2] == day}


@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_publication_of_the_present_that_dies_is_made_good_too(lake, endpoint, place):
    """Rows, coverage, mark."""
    cells = full([1], 5, window=Window(at(1).date(), at(1).date()))
    body = totals({(1, "favorites"): 5}) if endpoint == TOTALS else parts(cells)
    observed(lake, endpoint, body, at(1), tweets=[1])
    assert dies_at(place, lake)
    publish_pulls(lake)
    view = "totals" if endpoint == TOTALS else "recent"
    assert catalog.query(lake, f"select count from {view}")["count"].to_pylist() == [5] * (
        1 if endpoint == TOTALS else 4
    )
    assert raw.open_pulls(lake) == []


def test_a_publication_that_died_is_made_good_by_a_newer_pull_too(lake):
    pulled(lake, full([1, 2], 1), at(1))
    assert dies_at(2, lake)
    pulled(lake, full([2], 2), at(2))
    publish_pulls(lake)
    assert counts(lake) == full([1], 1) | full([2], 2)


def test_two_processes_that_publish_at_once_end_right(lake):
    truth = revisions(lake)
    both = [subprocess.Popen([sys.executable, "-c", PUBLISH, str(lake.root)]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert counts(lake) == truth
    assert raw.open_pulls(lake) == []


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
    publish_pulls(lake)
    before = parquet_files(lake)
    pulled(lake, full([1, 2], 2), at(2))
    with (
        trouble,
        pytest.raises(
            LakeError,
            match=r"(No space left|File too large).*tables are as they were for /historical of 2026-01-01",
        ) as caught,
    ):
        publish_pulls(lake)
    assert "\n" not in str(caught.value)
    assert parquet_files(lake) == before
    assert not lake.staging.exists()
    publish_pulls(lake)
    assert counts(lake) == full([1, 2], 2)


# What is revised and the daily sums; two days of rows; two days of coverage.
@pytest.mark.parametrize(("renames", "new"), [(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)])
def test_a_publication_that_is_stopped_between_renames_says_how_many_days_are_new(lake, monkeypatch, renames, new):
    pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)
    before, truth = counts(lake), full([1, 2], 2)
    pulled(lake, truth, at(2))
    really, left = os.replace, [renames]

    def replace(source, target):
        left[0] -= 1
        if left[0] < 0:
            no_space()
        really(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(LakeError) as caught:
            publish_pulls(lake)
    assert f"{new} of 2 days that change are new for /historical of 2026-01-01 to 2026-01-02" in str(caught.value)
    assert "run again: that publishes the rest" in str(caught.value)
    assert sum(of_day(counts(lake), day) == of_day(truth, day) for day in WINDOW.days()) == new
    assert sum(of_day(counts(lake), day) == of_day(before, day) for day in WINDOW.days()) == 2 - new
    publish_pulls(lake)
    assert counts(lake) == truth


@pytest.mark.parametrize("table", ["rows", "coverage"])
@pytest.mark.parametrize("damage", [b"", b"no parquet", b"PAR1 cut off PAR1"])
def test_a_damaged_parquet_is_named_and_what_the_message_says_mends_it(lake, table, damage):
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    path = file_of(lake, table, SECOND)
    path.write_bytes(damage)
    pulled(lake, full([2], 2), at(2))
    with pytest.raises(LakeError, match="is damaged") as caught:
        publish_pulls(lake)
    assert str(path) in str(caught.value)
    assert f"engagement rebuild --from {SECOND} --to {SECOND} makes it anew from raw" in str(caught.value)
    rebuilt(lake, first=SECOND, last=SECOND)
    publish_pulls(lake)
    assert counts(lake) == full([1], 1) | full([2], 2)
    assert coverage(lake, "tweet_id, outcome, rows, pulled_at") == [
        (tweet, "stored", 4, at(tweet)) for tweet in (1, 2) for _ in WINDOW.days()
    ]


def test_a_landed_body_that_does_not_add_up_is_named(lake):
    """It can only get there past the puller's audit; the tables stay as they were."""
    pull = begin(lake, at(1))
    path = land(pull, full([1], 1), by_type={"impressions": "5"})
    with pytest.raises(LakeError, match="does not add up") as caught:
        publish_pulls(lake)
    assert str(path) in str(caught.value)
    assert parquet_files(lake) == {}


def test_what_a_store_says_to_do_is_not_said_twice(lake, monkeypatch):
    pulled(lake, full([1], 1), at(1))
    monkeypatch.setattr(LocalStorage, "swap", full_store)
    with pytest.raises(LakeError, match=r"kept\. Once that is done, run again: that publishes the rest$") as caught:
        publish_pulls(lake)
    assert str(caught.value).lower().count("make room") == 1


def test_what_a_store_says_to_do_is_not_said_twice_of_a_rebuild(lake, monkeypatch):
    pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)
    really = LocalStorage.swap

    def swap(self, *groups, **named):
        return full_store() if self.root == lake.root else really(self, *groups, **named)

    monkeypatch.setattr(LocalStorage, "swap", swap)
    with pytest.raises(LakeError, match=r"Once that is done, rebuild again: that makes all of them anew$") as caught:
        rebuild_table(lake, HISTORICAL)
    assert str(caught.value).lower().count("make room") == 1
