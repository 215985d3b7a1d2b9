"""The counts of X API v2 are those of the Engagement API, and differ by what the dials plant and by nothing else."""

from datetime import timedelta

import numpy as np
import pytest
from emulator_client import FOUR_WAY, NOW, ask, body, tweets
from v2_client import analytics

from engagement_pipeline.emulator.v2.metrics import TYPES

SHARED = [metric for metric in TYPES if metric not in {"bookmarks", "quote_tweets", "shares", "unfollows", "unlikes"}]
IDS = [tweet.tweet_id for tweet in tweets("harborbooks")[:25]]
MIDNIGHT = NOW.replace(hour=0, minute=0)
FIRST, HOURS = MIDNIGHT - timedelta(days=4), 4 * 24
LAST_HOUR = FIRST + timedelta(hours=HOURS)


def old_and_new(emulator, metrics):
    """Return what each API shows of the four days, [tweet, metric, hour]."""
    types = [TYPES[metric] for metric in metrics]
    truth = emulator.world.counts(IDS, types, FIRST, HOURS)
    return truth, emulator.v2.counts(IDS, metrics, FIRST, HOURS)


def test_both_apis_serve_the_same_counts_where_they_have_the_same_metrics(emulator):
    """Over HTTP: the client of one finds what the client of the other finds."""
    span = {"start": f"{FIRST.date()}", "end": f"{LAST_HOUR.date()}"}
    types = [TYPES[metric] for metric in SHARED]
    old = ask(emulator, body(*IDS, engagement_types=types, groupings={"g": {"group_by": FOUR_WAY}}, **span)).json()["g"]
    times = {"start_time": f"{span['start']}T00:00:00Z", "end_time": f"{span['end']}T00:00:00Z"}
    answer = analytics(emulator, *IDS, fields=",".join(["id", "timestamped_metrics", *SHARED]), **times).json()
    new = {
        (post["id"], TYPES[metric], bucket["timestamp"]): count
        for post in answer["data"]
        for bucket in post["timestamped_metrics"]
        for metric, count in bucket["metrics"].items()
    }
    assert new == {
        (key, name, f"{day}T{hour}:00:00Z"): int(count)
        for key, types in old.items()
        for name, days in types.items()
        for day, hours in days.items()
        for hour, count in hours.items()
    }


def test_the_new_metrics_have_counts_of_their_own(emulator):
    _, new = old_and_new(emulator, ["bookmarks", "shares", "unlikes", "unfollows", "quote_tweets", "likes"])
    assert (new.sum(axis=(0, 2)) > 0).all()
    assert len({tuple(metric.ravel()) for metric in new.transpose(1, 0, 2)}) == 6


def test_the_answer_has_the_counts_that_the_service_tells(emulator):
    emulator.v2.faults.set(young_percent=50, young_hours=96)
    times = {"start_time": f"{FIRST.date()}T00:00:00Z", "end_time": f"{LAST_HOUR.date()}T00:00:00Z"}
    answer = analytics(emulator, *IDS, fields="id,timestamped_metrics,impressions", **times).json()
    shown = [[bucket["metrics"]["impressions"] for bucket in post["timestamped_metrics"]] for post in answer["data"]]
    assert shown == emulator.v2.counts(IDS, ["impressions"], FIRST, HOURS)[:, 0].tolist()


def test_young_hours_differ_by_a_percentage_and_others_do_not(emulator):
    emulator.v2.faults.set(young_percent=10, young_hours=48)
    old, new = old_and_new(emulator, ["impressions", "likes"])
    began = int(NOW.timestamp()) // 3600 - 47  # the first of the 48 hours, with the one that has begun
    young = int(FIRST.timestamp()) // 3600 + np.arange(HOURS) >= began
    assert np.array_equal(new[:, :, ~young], old[:, :, ~young])
    assert np.array_equal(new[:, 1], old[:, 1])
    assert new[:, 0, young].sum() / old[:, 0, young].sum() == pytest.approx(1.10, abs=0.001)


def test_even_a_small_percentage_of_small_counts_shows_in_their_sum(emulator):
    emulator.v2.faults.set(young_percent=2, young_hours=96, differing_metrics=["likes"])
    old, new = old_and_new(emulator, ["likes"])
    assert np.median(old) < 10
    assert set(np.unique(new - old)) <= {0, 1, 2, 3, 4}
    assert new.sum() / old.sum() == pytest.approx(1.02, abs=0.01)


def test_a_share_of_hours_differs_by_a_number(emulator):
    emulator.v2.faults.set(differing_share=0.1, differing_by=3, differing_metrics=["impressions", "likes"])
    old, new = old_and_new(emulator, ["impressions", "likes", "replies"])
    assert set(np.unique(new[:, :2] - old[:, :2])) == {0, 3}
    assert (new[:, :2] != old[:, :2]).mean() == pytest.approx(0.1, abs=0.02)
    assert np.array_equal(new[:, 2], old[:, 2])


def test_a_difference_takes_no_count_below_zero(emulator):
    emulator.v2.faults.set(differing_share=1, differing_by=-5)
    old, new = old_and_new(emulator, ["impressions"])
    assert np.array_equal(new, np.maximum(old - 5, 0))


def test_the_same_cells_differ_whatever_else_is_asked_for(emulator):
    emulator.v2.faults.set(differing_share=0.3, differing_metrics=["impressions", "likes"])
    both = emulator.v2.counts(IDS, ["likes", "impressions"], FIRST, HOURS)
    alone = emulator.v2.counts(IDS[3:4], ["impressions"], FIRST + timedelta(hours=9), 5)
    assert np.array_equal(both[3:4, 1:2, 9:14], alone)


def test_a_total_has_the_differences_of_its_hours(emulator):
    emulator.v2.faults.set(differing_share=0.5, differing_by=7)
    times = {"start_time": f"{FIRST.date()}T00:00:00Z", "end_time": f"{LAST_HOUR.date()}T00:00:00Z"}
    answer = analytics(emulator, *IDS, granularity="total", fields="id,impressions", **times).json()
    sums = emulator.v2.counts(IDS, ["impressions"], FIRST, HOURS).sum(axis=2)[:, 0]
    assert [post["impressions"] for post in answer["data"]] == sums.tolist()


def test_counts_that_settle_do_so_in_both(emulator):
    emulator.world.settle_hours = 72
    old = emulator.world.shown(IDS, ["favorites"], FIRST, HOURS)
    assert np.array_equal(emulator.v2.counts(IDS, ["likes"], FIRST, HOURS), old)
    emulator.world.settle_hours = 0
    assert old.sum() < emulator.world.shown(IDS, ["favorites"], FIRST, HOURS).sum()
