"""What a later answer for the same Tweet and day takes away: nothing that it does not name."""

import tempfile
from itertools import count
from pathlib import Path

import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, pulled
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import counts, coverage, tables

from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

FIRST, SECOND = WINDOW.days()
IMPRESSIONS, URL_CLICKS = ((name,) for name in TYPES)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def test_a_pull_of_fewer_types_keeps_the_others(lake):
    """The setting types was narrowed; what was measured before is still true."""
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    pulled(lake, full([1], 2, types=IMPRESSIONS), at(2), types=IMPRESSIONS)
    publish_pulls(lake)
    assert counts(lake) == full([1, 2], 1) | full([1], 2, types=IMPRESSIONS)
    assert coverage(lake, "tweet_id, rows, pulled_at") == [(1, 4, at(2))] * 2 + [(2, 4, at(1))] * 2


def test_types_that_are_added_come_beside_the_others(lake):
    pulled(lake, full([1], 1, types=IMPRESSIONS), at(1), types=IMPRESSIONS)
    publish_pulls(lake)
    pulled(lake, full([1], 2, types=URL_CLICKS), at(2), types=URL_CLICKS)
    publish_pulls(lake)
    assert counts(lake) == full([1], 1, types=IMPRESSIONS) | full([1], 2, types=URL_CLICKS)


def test_video_views_stay_when_the_tweet_grows_too_old_for_them(lake):
    """Past 1,800 days the API answers zeros that nobody measured; the counts of before are still true."""
    types = ("impressions", "video_views")
    pulled(lake, full([1], 9, types=types), at(1), types=types)
    publish_pulls(lake)
    aged = full([1], 10, types=types[:1]) | full([1], 0, types=types[1:])
    pulled(lake, aged, at(2), types=types, unsupported_for_video_views_tweet_ids=["1"])
    publish_pulls(lake)
    assert counts(lake) == full([1], 10, types=types[:1]) | full([1], 9, types=types[1:])


def test_hours_that_a_later_answer_lacks_stay(lake):
    """Nothing promises that every hour comes; a measured one is not made unknown by a gap."""
    pulled(lake, full([1], 1, hours=(0, 1, 2)), at(1))
    pulled(lake, full([1], 2, hours=(1,)), at(2))
    publish_pulls(lake)
    assert counts(lake) == full([1], 1, hours=(0, 2)) | full([1], 2, hours=(1,))


def test_a_day_that_a_later_answer_lacks_stays_as_it_was(lake):
    pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)
    pulled(lake, full([1], 2, window=Window(FIRST, FIRST)), at(2))
    publish_pulls(lake)
    assert counts(lake) == full([1], 1) | full([1], 2, window=Window(FIRST, FIRST))
    assert coverage(lake, "day, outcome, rows, pulled_at") == [
        (FIRST, "stored", 4, at(2)),
        (SECOND, "missing from the response", 4, at(1)),
    ]


def test_a_later_zero_is_a_count_like_any_other(lake):
    pulled(lake, full([1], 5), at(1))
    pulled(lake, full([1], 0), at(2))
    publish_pulls(lake)
    assert counts(lake) == full([1], 0)


@pytest.mark.parametrize("handles", [("ann", "bob"), ("bob", "ann")])
def test_of_two_answers_of_one_moment_in_a_pull_one_counts_for_good(lake, handles):
    """Whichever landed first: the same one, whole, and named as the source."""
    pull = begin(lake, at(1))
    for handle in handles:
        land(pull, full([1], {"ann": 1, "bob": 2}[handle]), handle=handle, asked_at=at(5))
    for _ in range(2):
        publish_pulls(lake)
        assert counts(lake) == full([1], 2)
        ((source,),) = set(coverage(lake, "source"))
        assert "/bob-1-" in source


def test_an_answer_of_the_same_moment_as_the_published_one_changes_nothing(lake):
    pulled(lake, full([1], 1), at(1), asked_at=at(5))
    publish_pulls(lake)
    before = tables(lake)
    pulled(lake, full([1], 2), at(2), asked_at=at(5))
    publish_pulls(lake)
    assert tables(lake) == before


def test_an_answer_counts_against_a_refusal_of_the_same_moment(lake):
    pull = begin(lake, at(1))
    land(pull, {}, tweets=[1], refusal="403: Forbidden to access tweets: 1", asked_at=at(5))
    land(pull, full([1], 1), handle="bob", asked_at=at(5))
    publish_pulls(lake)
    assert coverage(lake, "outcome, rows") == [("stored", 4)] * 2


cells = st.dictionaries(
    st.tuples(st.integers(1, 4), st.sampled_from(TYPES), st.sampled_from([FIRST, SECOND]), st.integers(0, 2)),
    st.integers(-1, 9),
    max_size=12,
)


@pytest.mark.parametrize(
    ("examples", "same"), [(12, True), pytest.param(1000, False, marks=pytest.mark.faults)], ids=["short", "long"]
)
def test_the_table_is_what_the_answers_say_written_over_each_other(examples, same):
    answers = st.lists(st.tuples(cells, st.booleans()), min_size=1, max_size=4)
    settings(max_examples=examples, deadline=None, derandomize=same)(given(answers)(written_over))()


def written_over(answers):
    """Publish after each of the answers or some at once; and publish again, the same."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        truth, minutes = {}, count()
        for answer, at_once in answers:
            pulled(lake, answer, at(1, next(minutes)), tweets=[1, 2, 3, 4])
            truth |= answer
            if at_once:
                publish_pulls(lake)
        publish_pulls(lake)
        assert counts(lake) == truth
        stored = {(tweet, day): rows for tweet, day, rows in coverage(lake, "tweet_id, day, rows") if rows}
        assert stored == {key: sum((t, d) == key for t, _, d, _ in truth) for key in stored}
        assert sum(stored.values()) == len(truth)
