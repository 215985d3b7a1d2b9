"""The plan: the fewest requests, within the vendor's limits, that name each living Tweet once a window."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.errors import InputError
from engagement_pipeline.plan import Window, plan, windows
from engagement_pipeline.roster import Tweet

EPOCH_MS = 1_288_834_974_657  # the contract: created_at_ms = (id >> 22) + this
LAST_WHOLE_DAY = date(2026, 1, 31)
WINDOW = Window(date(2026, 1, 4), LAST_WHOLE_DAY)
TYPES = ("impressions", "url_clicks")


def posted(moment, *, place=0):
    """Return the ID of a Tweet posted at that moment."""
    return (int(moment.timestamp() * 1000) - EPOCH_MS) << 22 | place


def midnight(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def owned(*ids, handle="harborbooks"):
    return [Tweet(tweet_id, handle) for tweet_id in ids]


days = st.dates(date(2014, 9, 1), LAST_WHOLE_DAY)
ranges = st.tuples(days, days).map(sorted)
windows_of_any_length = st.builds(
    lambda first, length: Window(first, first + timedelta(length)), days, st.integers(0, 27)
)
ids_of_any_age = st.one_of(
    st.integers(1, 2**63 - 1),
    st.dates(date(2014, 1, 1), date(2026, 6, 1)).map(lambda day: posted(midnight(day))),
)
rosters = st.dictionaries(ids_of_any_age, st.sampled_from(["a", "b", "c"]), max_size=120).map(
    lambda owners: [Tweet(tweet_id, handle) for tweet_id, handle in owners.items()]
)


def lives(tweet_id, window):
    """Tell whether a Tweet was posted before the window's end, by the contract's formula."""
    end_ms = int(midnight(window.last + timedelta(days=1)).timestamp() * 1000)
    return tweet_id < 30_000_000_000 or (tweet_id >> 22) + EPOCH_MS < end_ms


@given(ranges)
def test_windows_hold_each_day_of_a_range_once_in_order_and_never_more_than_28(chosen):
    first, last = chosen
    cut = windows(first, last, last_whole_day=LAST_WHOLE_DAY)
    assert [day for window in cut for day in window.days()] == [
        first + timedelta(days=n) for n in range((last - first).days + 1)
    ]
    assert all(len(list(window.days())) <= 28 for window in cut)
    assert len(cut) == -(-((last - first).days + 1) // 28)


@given(rosters, windows_of_any_length)
def test_a_request_has_one_account_and_at_most_25_ids_in_order(tweets, window):
    owners = {tweet.tweet_id: tweet.handle for tweet in tweets}
    for request in plan(tweets, window, types=TYPES).requests:
        assert 1 <= len(request.tweet_ids) <= 25
        assert {owners[tweet_id] for tweet_id in request.tweet_ids} == {request.handle}
        assert list(request.tweet_ids) == sorted(request.tweet_ids)
        assert (request.window, request.types) == (window, TYPES)


@given(rosters, windows_of_any_length)
def test_each_living_tweet_is_named_once_and_each_unborn_one_is_left_out(tweets, window):
    made = plan(tweets, window, types=TYPES)
    named = [tweet_id for request in made.requests for tweet_id in request.tweet_ids]
    assert sorted(named) == sorted(tweet.tweet_id for tweet in tweets if lives(tweet.tweet_id, window))
    assert list(made.not_yet_posted) == sorted({tweet.tweet_id for tweet in tweets} - set(named))
    assert made.tweet_ids == set(named)


@given(rosters, windows_of_any_length)
def test_the_number_of_requests_is_the_lower_bound(tweets, window):
    living = defaultdict(int)
    for tweet in tweets:
        living[tweet.handle] += lives(tweet.tweet_id, window)
    assert len(plan(tweets, window, types=TYPES).requests) == sum((count + 24) // 25 for count in living.values())


@given(rosters, windows_of_any_length, st.randoms())
def test_the_order_of_the_roster_does_not_matter(tweets, window, random):
    shuffled = random.sample(tweets, len(tweets))
    assert plan(shuffled, window, types=TYPES) == plan(tweets, window, types=TYPES)


@given(rosters, windows_of_any_length, st.data())
def test_what_has_landed_is_not_asked_for_again(tweets, window, data):
    landed = set(data.draw(st.lists(st.sampled_from(tweets)))) if tweets else set()
    rest = [tweet for tweet in tweets if tweet not in landed or not lives(tweet.tweet_id, window)]
    made = plan(tweets, window, types=TYPES, landed={tweet.tweet_id for tweet in landed})
    assert made == plan(rest, window, types=TYPES)


@pytest.mark.parametrize(
    ("tweets", "batches"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (50, [25, 25]), (60, [25, 25, 10])]
)
def test_the_25th_id_still_fits_and_the_last_batch_is_what_is_left(tweets, batches):
    ids = [posted(midnight(date(2025, 12, 1)), place=place) for place in range(tweets)]
    requests = plan(owned(*ids), WINDOW, types=TYPES).requests
    assert [len(request.tweet_ids) for request in requests] == batches
    assert [tweet_id for request in requests for tweet_id in request.tweet_ids] == ids


@pytest.mark.parametrize(
    ("length", "cut"), [(1, [1]), (28, [28]), (29, [28, 1]), (56, [28, 28]), (365, [28] * 13 + [1])]
)
def test_the_28th_day_still_fits_and_the_last_window_is_what_is_left(length, cut):
    first = LAST_WHOLE_DAY - timedelta(days=length - 1)
    made = windows(first, LAST_WHOLE_DAY, last_whole_day=LAST_WHOLE_DAY)
    assert [(window.end - window.first).days for window in made] == cut
    assert (made[0].first, made[-1].last) == (first, LAST_WHOLE_DAY)


def test_two_accounts_never_share_a_request_though_one_would_hold_both():
    old = posted(midnight(date(2025, 12, 1)))
    requests = plan([*owned(old, handle="b"), *owned(old + 1, handle="a")], WINDOW, types=TYPES).requests
    assert [(request.handle, request.tweet_ids) for request in requests] == [("a", (old + 1,)), ("b", (old,))]


def test_a_tweet_of_the_windows_last_millisecond_is_in_and_one_of_the_next_is_not():
    end = midnight(WINDOW.end)
    last_in, first_out = posted(end - timedelta(milliseconds=1)), posted(end)
    made = plan(owned(last_in, first_out), WINDOW, types=TYPES)
    assert made.tweet_ids == {last_in}
    assert made.not_yet_posted == (first_out,)


def test_an_id_older_than_snowflake_carries_no_time_and_is_always_asked_for():
    made = plan(owned(29_999_999_999, 20), Window(date(2014, 9, 1), date(2014, 9, 1)), types=TYPES)
    assert made.tweet_ids == {29_999_999_999, 20}


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 1, 31), date(2026, 1, 30), "the first day, 2026-01-31, is after the last, 2026-01-30: swap them"),
        (date(2014, 8, 31), date(2014, 9, 2), "2014-08-31 is before 2014-09-01"),
        (date(2014, 8, 30), date(2014, 8, 31), "2014-08-30 is before 2014-09-01"),
        (date(2026, 1, 1), date(2026, 2, 1), "2026-02-01 is not over yet: 2026-01-31 is the last whole UTC day"),
        (date(2026, 3, 1), date(2026, 1, 31), "2026-03-01 is not over yet"),
    ],
)
def test_a_range_that_cannot_be_served_is_refused_with_the_fix(first, last, words):
    with pytest.raises(InputError) as caught:
        windows(first, last, last_whole_day=LAST_WHOLE_DAY)
    assert words in str(caught.value)


def test_the_first_and_the_last_day_that_there_are_can_be_asked_for():
    for day in (date(2014, 9, 1), LAST_WHOLE_DAY):
        assert windows(day, day, last_whole_day=LAST_WHOLE_DAY) == (Window(day, day),)


def test_a_window_ends_where_the_api_wants_its_exclusive_end():
    assert WINDOW.end == date(2026, 2, 1)
    assert str(WINDOW) == "2026-01-04 to 2026-01-31"
