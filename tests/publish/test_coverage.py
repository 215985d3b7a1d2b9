"""What coverage says of Tweets that were asked for in vain: the reason, and nothing that takes stored counts away."""

import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, pulled
from histories import delete
from tables import counts, coverage, rebuilt

from engagement_pipeline.core.tables import ACCOUNT_REFUSED, NO_ANSWER, UNANSWERED
from engagement_pipeline.lake import set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

SAID = "401: Access token not found"
NEWEST = "tweet_id, outcome, text, asked_at, rows, pulled_at"


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def in_vain(lake, tweets, now, *, outcome=ACCOUNT_REFUSED):
    """Make a pull that got no answer for some Tweets, and leave it open."""
    pull = begin(lake, now)
    land(pull, {}, tweets=tweets, refusal=SAID, unanswered=outcome)
    return pull


@pytest.mark.parametrize("outcome", UNANSWERED)
def test_each_day_of_a_tweet_without_an_answer_has_a_row_with_the_reason(lake, outcome):
    in_vain(lake, [1], at(1), outcome=outcome)
    (publication,) = publish_pulls(lake)
    assert coverage(lake, NEWEST) == [(1, outcome, SAID, at(1), 0, None)] * 2
    assert (publication.requested, publication.set_aside, publication.unanswered) == (1, {}, {1: SAID})


def test_stored_counts_and_their_moment_stay_when_a_later_request_gets_no_answer(lake):
    pulled(lake, full([1, 2], 5), at(1))
    publish_pulls(lake)
    in_vain(lake, [1], at(2))
    publish_pulls(lake)
    assert counts(lake) == full([1, 2], 5)
    assert coverage(lake, NEWEST) == [
        *[(1, ACCOUNT_REFUSED, SAID, at(2), 4, at(1))] * 2,
        *[(2, "stored", None, at(1), 4, at(1))] * 2,
    ]


def test_an_answer_that_comes_after_all_takes_the_place_of_the_reason(lake):
    """In the same pull, once it is gone on with; also if a clock was set back meanwhile."""
    pull = in_vain(lake, [1, 2], at(2))
    publish_pulls(lake)
    land(pull, full([1], 5), asked_at=at(3))
    land(pull, full([2], 6), asked_at=at(1))
    publish_pulls(lake)
    assert counts(lake) == full([1], 5) | full([2], 6)
    assert {row[:2] for row in coverage(lake, NEWEST)} >= {(1, "stored")}
    delete(lake, "coverage", "engagements", "daily")
    rebuilt(lake)
    assert {row[:3] for row in coverage(lake, NEWEST)} == {(1, "stored", None), (2, "stored", None)}


def test_an_older_answer_that_is_published_later_gives_its_rows_and_leaves_the_newest_word(lake):
    older = begin(lake, at(1))
    in_vain(lake, [1], at(2)).marked(finished=True)
    publish_pulls(lake)
    land(older, full([1], 5), asked_at=at(1, 30))
    older.marked(finished=True, published=False)
    publish_pulls(lake)
    assert counts(lake) == full([1], 5)
    assert coverage(lake, NEWEST) == [(1, ACCOUNT_REFUSED, SAID, at(2), 4, at(1, 30))] * 2


def test_a_tweet_that_was_set_aside_stays_so_when_its_account_is_refused(lake):
    """A refused account says nothing of the Tweet."""
    pulled(lake, {}, at(1), tweets=[1], unavailable_tweet_ids=["1"])
    publish_pulls(lake)
    before = set_aside.load(lake)
    in_vain(lake, [1, 2], at(2))
    publish_pulls(lake)
    assert set_aside.load(lake) == before
    assert [*before] == [1]


def test_a_rebuild_gives_the_same_words(lake):
    pulled(lake, full([1], 5), at(1))
    in_vain(lake, [1, 2], at(2), outcome=NO_ANSWER).marked(finished=True)
    publish_pulls(lake)
    before = coverage(lake, "*")
    delete(lake, "coverage", "engagements", "daily")
    rebuilt(lake)
    assert coverage(lake, "*") == before
    assert {row[:2] for row in coverage(lake, NEWEST)} == {(1, NO_ANSWER), (2, NO_ANSWER)}


def of_answers(lake):
    return coverage(lake, "tweet_id, rows, answer_count, kept_count, left_out")[:: len([*WINDOW.days()])]


def test_a_count_that_the_newest_answer_leaves_out_is_marked(lake):
    pulled(lake, full([1, 2], 9, hours=(0, 5)), at(1))
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 36, 0, None), (2, 4, 36, 0, None)]
    pulled(lake, full([1], 2, hours=(0,)), at(2))
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 4, 18, [*TYPES]), (2, 4, 36, 0, None)]


def test_a_type_that_the_api_no_longer_supports_is_marked(lake):
    types = ("impressions", "video_views")
    pulled(lake, full([1], 9, types=types), at(1), types=types)
    publish_pulls(lake)
    aged = full([1], 2, types=types[:1]) | full([1], 0, types=types[1:])
    pulled(lake, aged, at(2), types=types, unsupported_for_video_views_tweet_ids=["1"])
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 4, 18, ["video_views"])]


def test_a_day_without_any_count_in_the_newest_answer_is_marked(lake):
    pulled(lake, full([1], 9), at(1))
    publish_pulls(lake)
    pulled(lake, {}, at(2), tweets=[1])
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 0, 36, [*TYPES])]


def test_types_that_were_not_asked_for_are_no_counts_left_out_and_a_mark_of_theirs_stays(lake):
    pulled(lake, full([1], 9), at(1))
    pulled(lake, full([1], 2, types=TYPES[1:]), at(2))  # impressions are left out
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 4, 18, ["impressions"])]
    pulled(lake, full([1], 3, types=TYPES[1:]), at(3), types=TYPES[1:])
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 6, 18, ["impressions"])]
    pulled(lake, full([1], 4, types=TYPES[:1]), at(4), types=TYPES[:1])
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 8, 6, None)]


def test_a_zero_that_is_left_out_changes_no_sum_and_is_not_marked(lake):
    pulled(lake, full([1], 0), at(1))
    pulled(lake, full([1], 2, hours=(0,)), at(2))
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 4, 0, None)]


def test_a_mark_outlives_a_refusal_and_a_deleted_tweet_gets_none(lake):
    """Neither is an answer that left a count out; the outcome says what they are."""
    pulled(lake, full([1, 2], 9, hours=(0, 5)), at(1))
    pulled(lake, full([1], 2, hours=(0,)), at(2))
    in_vain(lake, [1], at(3)).marked(finished=True)
    pulled(lake, {}, at(4), tweets=[2], unavailable_tweet_ids=["2"])
    publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 4, 18, [*TYPES]), (2, 4, 36, 0, None)]


def test_marks_are_gone_once_an_answer_has_the_counts_again(lake):
    for hour, hours in ((1, (0, 5)), (2, (0,)), (3, (0, 5))):
        pulled(lake, full([1], hour, hours=hours), at(hour))
        publish_pulls(lake)
    assert of_answers(lake) == [(1, 4, 12, 0, None)]


def test_a_rebuild_keeps_marks_of_counts_that_raw_does_not_hold_any_more(lake):
    first = pulled(lake, full([1], 9, hours=(0, 5)), at(1))
    pulled(lake, full([1], 2, hours=(0,)), at(2))
    publish_pulls(lake)
    before = coverage(lake, "*")
    delete(lake, str(first.path.relative_to(lake.root)))
    rebuilt(lake)
    assert coverage(lake, "*") == before
