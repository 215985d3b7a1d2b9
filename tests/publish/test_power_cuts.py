"""A power cut, which may leave any part of what was not synced: the next run ends with the right tables."""

import shutil

import pyarrow.parquet as pq
import pytest
from bodies import WINDOW, at, begin, full, land, observed, parts, pulled, totals
from each_source import LONG
from histories import FIRST, TODAY, delete, live
from power_cuts import recorded
from tables import counts

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.model import Window
from engagement_pipeline.extract import landed_before
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table


@pytest.fixture
def lake(tmp_path, each_source):
    lake = Lake(tmp_path / "lake").of(each_source)
    lake.home.open()
    lake.open()
    return lake


@pytest.fixture(params=[2, pytest.param(500, marks=pytest.mark.faults)], ids=["some", "all"])
def most(request):
    """How many of the lakes that a power cut may leave are looked at."""
    return request.param


def everything(lake):
    """Return the rows of every file of the tables, and the pulls that are not in them."""
    files = {
        path.relative_to(lake.root): sorted(pq.read_table(path).to_pylist(), key=repr)
        for path in lake.root.rglob("*.parquet")
    }
    return files, [pull.name for pull in raw.open_pulls(lake)]


def left_by(lake, what, *, most):
    """Do it, and yield the lakes that a power cut meanwhile may leave, or so many; there must be several."""
    home = lake.home.root
    with recorded(home) as recording:
        what(lake)
    cuts = recording.cuts(most=most)
    assert len(cuts) > 1
    for number, cut in enumerate(cuts):
        yield Lake(recording.restore(cut, home.with_name(f"cut {number}"))).of(lake.source)


def check_all(lake, what, *runs, most):
    """Let a power cut happen at any moment, and compare what each of the runs makes of it with an undisturbed lake."""
    wanted = None
    for left in left_by(lake, what, most=most):
        wanted = wanted or everything(lake)
        for run in runs:
            home = left.home.root
            mended = Lake(shutil.copytree(home, home.with_name("mended"))).of(lake.source)
            run(mended)
            assert everything(mended) == wanted
            shutil.rmtree(mended.home.root)


def revise(lake):
    """Make a lake with older rows, and a pull that revises them, of Tweets that come and Tweets that go."""
    pulled(lake, full([1, 2, 3], 1), at(1))
    publish_pulls(lake)
    pulled(lake, full([2, 4], 2), at(2), tweets=[2, 3, 4], unavailable_tweet_ids=["3"])


def test_a_publication_over_older_rows(lake, most):
    revise(lake)
    check_all(lake, publish_pulls, publish_pulls, most=most)


@LONG
def test_the_first_publication_of_a_lake(lake, most):
    pulled(lake, full([1, 2], 1), at(1), tweets=[1, 2, 9], unavailable_tweet_ids=["9"])
    check_all(lake, publish_pulls, publish_pulls, most=most)


@LONG
def test_a_publication_of_many_days(lake, most):
    """Their files are too many for all subsets; some are drawn."""
    window = Window(WINDOW.first, WINDOW.first.replace(day=9))
    for hour in (1, 2):
        pulled(lake, full([1, 2], hour, window=window), at(hour), window=window)
        if hour == 1:
            publish_pulls(lake)
    check_all(lake, publish_pulls, publish_pulls, most=most)


@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
def test_a_publication_of_the_present(tmp_path, endpoint, most):
    lake = Lake(tmp_path / "lake")
    lake.open()
    for hour in (1, 2):
        content = totals({(1, "favorites"): hour})
        if endpoint == RECENT:
            content = parts(full([1], hour, window=Window(TODAY, TODAY)))
        observed(lake, endpoint, content, at(hour), tweets=[1])
        if hour == 1:
            publish_pulls(lake)
    check_all(lake, publish_pulls, publish_pulls, most=most)


def rebuild(lake):
    return rebuild_table(lake, lake.hourly)


def rebuild_and_publish(lake):
    rebuild(lake)
    publish_pulls(lake)


def test_a_rebuild_that_puts_in_what_is_not_published(lake, most):
    """A rebuild takes up an open pull, and leaves it open."""
    revise(lake)
    check_all(lake, lambda lake: (rebuild(lake), publish_pulls(lake)), rebuild_and_publish, publish_pulls, most=most)


@LONG
def test_a_rebuild_of_deleted_days(lake, most):
    live(lake)
    delete(lake, "daily", f"engagements/day={FIRST}", f"coverage/endpoint={lake.hourly}/day={FIRST}")
    check_all(lake, rebuild, rebuild_and_publish, most=most)


def prune(lake):
    retention.drop(lake, retention.spent(lake, before=at(23)))


@LONG
def test_a_prune(lake, most):
    """Whatever of raw is left, a rebuild changes no table."""
    live(lake)
    for left in left_by(lake, prune, most=most):
        for run in (lambda _: None, prune):
            run(left)
            assert [day for day in rebuild(left) if day.lost or day.changed] == []
            assert everything(left)[0] == everything(lake)[0]
        assert not list(left.raw.glob("*/*/.*"))


def test_a_pull_that_is_finished_has_all_that_it_accepted(lake, most):
    """Of one that is not, each response that has landed is there, looked at or not."""
    pull = begin(lake, at(1))

    def finish(_):
        for tweet in (1, 2):
            land(pull, full([tweet], tweet))
        pull.marked(finished=True)

    for left in left_by(lake, finish, most=most):
        (found,) = raw.open_pulls(left)
        if found.finished:
            assert [*found.unsettled()] == []
            publish_pulls(left)
            assert counts(left) == full([1], 1) | full([2], 2)
        landed_before.settle(found)
        assert [*found.unsettled()] == []


def test_a_pull_that_was_begun_is_there(lake):
    with recorded(lake.root) as recording:
        begin(lake, at(1))
    assert recording.unsynced()[1] == []
