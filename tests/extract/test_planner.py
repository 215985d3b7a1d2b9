"""The plan: the fewest requests, within the vendor's limits, that name each living Tweet once a window."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.core.endpoints import ANALYTICS, ANALYTICS_TOTALS, ENDPOINTS, HISTORICAL, MEDIA, RECENT, TOTALS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.model import Tweet, Window
from engagement_pipeline.extract.planner import NOT_POSTED, NOT_PUBLIC, OF_OTHERS, plan, windows

EPOCH_MS = 1_288_834_974_657  # the contract: created_at_ms = (id >> 22) + this
LAST_WHOLE_DAY = date(2026, 1, 31)
WINDOW = Window(date(2026, 1, 4), LAST_WHOLE_DAY)
TYPES = ("impressions", "url_clicks")
ALL_TYPES = [metric.name for metric in METRICS]


def posted(moment, *, place=0):
    """Return the ID of a Tweet posted at that moment."""
    return (int(moment.timestamp() * 1000) - EPOCH_MS) << 22 | place


def midnight(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def owned(*ids, handle="harborbooks"):
    return [Tweet(tweet_id, handle) for tweet_id in ids]


def history(tweets, window, **further):
    """Return the plan of a window of /historical."""
    return plan(tweets, HISTORICAL, types=TYPES, window=window, **further)


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
rosters_with_others = st.builds(
    lambda owned, of_others: (
        [Tweet(i, "a") for i in range(1, owned + 1)] + [Tweet(1000 + i, "") for i in range(of_others)]
    ),
    st.integers(0, 600),
    st.integers(0, 600),
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
    for request in history(tweets, window).requests:
        assert 1 <= len(request.tweet_ids) <= 25
        assert {owners[tweet_id] for tweet_id in request.tweet_ids} == {request.handle}
        assert list(request.tweet_ids) == sorted(request.tweet_ids)
        assert (request.endpoint, request.window, request.types) == (HISTORICAL, window, TYPES)


@given(rosters, windows_of_any_length)
def test_each_living_tweet_is_named_once_and_each_unborn_one_is_left_out(tweets, window):
    made = history(tweets, window)
    named = [tweet_id for request in made.requests for tweet_id in request.tweet_ids]
    assert sorted(named) == sorted(tweet.tweet_id for tweet in tweets if lives(tweet.tweet_id, window))
    assert set(made.left_out) == {tweet.tweet_id for tweet in tweets} - set(named)
    assert set(made.left_out.values()) <= {NOT_POSTED}
    assert set(made.tweets) == {tweet for tweet in tweets if tweet.tweet_id in named}


@given(rosters, windows_of_any_length)
def test_the_number_of_requests_is_the_lower_bound(tweets, window):
    living = defaultdict(int)
    for tweet in tweets:
        living[tweet.handle] += lives(tweet.tweet_id, window)
    assert len(history(tweets, window).requests) == sum((count + 24) // 25 for count in living.values())


@given(rosters, windows_of_any_length, st.randoms())
def test_the_order_of_the_roster_does_not_matter(tweets, window, random):
    shuffled = random.sample(tweets, len(tweets))
    assert history(shuffled, window) == history(tweets, window)


@given(rosters, windows_of_any_length, st.data())
def test_a_resting_tweet_is_left_out_for_the_reason_given(tweets, window, data):
    resting = dict.fromkeys(data.draw(st.lists(st.sampled_from(tweets))) if tweets else [], "why")
    made = history(tweets, window, resting=resting)
    rest = history([tweet for tweet in tweets if tweet not in resting], window)
    assert made.requests == rest.requests
    found = {tweet_id for tweet_id, reason in made.left_out.items() if reason == "why"}
    assert found == {tweet.tweet_id for tweet in resting if lives(tweet.tweet_id, window)}


@given(rosters, windows_of_any_length, st.data())
def test_a_tweet_that_is_asked_alone_has_a_request_of_its_own_and_the_others_fill_theirs(tweets, window, data):
    alone = {tweet.tweet_id for tweet in (data.draw(st.lists(st.sampled_from(tweets))) if tweets else [])}
    made = history(tweets, window, alone=alone)
    rest = history([tweet for tweet in tweets if tweet.tweet_id not in alone], window)
    living = {tweet_id for tweet_id in alone if lives(tweet_id, window)}
    assert made.alone == living
    assert {request for request in made.requests if request.tweet_ids[0] not in alone} == {*rest.requests}
    assert sorted(r.tweet_ids for r in made.requests if r.tweet_ids[0] in alone) == sorted((t,) for t in living)


def test_a_tweet_that_was_refused_to_another_account_does_not_rest():
    """So that mending its owner in the roster helps at once."""
    resting = {Tweet(1, "stranger"): "forbidden to stranger", Tweet(2, "harborbooks"): "unavailable"}
    made = history(owned(1, 2), WINDOW, resting=resting)
    assert made.tweets == owned(1)
    assert made.left_out == {2: "unavailable"}


@settings(deadline=None)
@given(rosters_with_others, st.sampled_from([*ENDPOINTS.values()]))
def test_whatever_the_endpoint_each_tweet_is_named_once_or_left_out_with_the_reason(tweets, endpoint):
    made = plan(tweets, endpoint, types=ALL_TYPES, window=WINDOW if endpoint.max_days else None)
    named = [tweet_id for request in made.requests for tweet_id in request.tweet_ids]
    assert sorted([*named, *made.left_out]) == sorted(tweet.tweet_id for tweet in tweets)
    assert set(made.left_out.values()) <= {OF_OTHERS, NOT_POSTED}
    owners = {tweet.tweet_id: tweet.handle for tweet in tweets}
    for request in made.requests:
        assert {owners[tweet_id] for tweet_id in request.tweet_ids} == {request.handle}
        assert set(request.types) == set(endpoint.types if request.handle else endpoint.public_types)
    asked = Counter(owners[tweet_id] for tweet_id in named)
    most = {TOTALS: 250, RECENT: 25, HISTORICAL: 25, ANALYTICS: 100, ANALYTICS_TOTALS: 100, MEDIA: 100}[endpoint]
    assert len(made.requests) == sum(-(-count // most) for count in asked.values())


@pytest.mark.parametrize(
    ("tweets", "batches"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (50, [25, 25]), (60, [25, 25, 10])]
)
def test_the_25th_id_still_fits_and_the_last_batch_is_what_is_left(tweets, batches):
    ids = [posted(midnight(date(2025, 12, 1)), place=place) for place in range(tweets)]
    requests = history(owned(*ids), WINDOW).requests
    assert [len(request.tweet_ids) for request in requests] == batches
    assert [tweet_id for request in requests for tweet_id in request.tweet_ids] == ids


@pytest.mark.parametrize(
    ("endpoint", "tweets", "batches"),
    [
        (RECENT, 25, [25]),
        (RECENT, 26, [25, 1]),
        (TOTALS, 250, [250]),
        (TOTALS, 251, [250, 1]),
        (TOTALS, 500, [250, 250]),
        (TOTALS, 501, [250, 250, 1]),
    ],
)
def test_each_endpoint_has_its_own_limit(endpoint, tweets, batches):
    made = plan(owned(*range(1, tweets + 1)), endpoint, types=TYPES)
    assert [len(request.tweet_ids) for request in made.requests] == batches
    assert {(request.endpoint, request.window) for request in made.requests} == {(endpoint, None)}


def test_tweets_of_others_are_asked_for_on_totals_alone_and_by_public_types():
    tweets = [*owned(1), *owned(2, handle="")]
    assert [(r.handle, r.tweet_ids, r.types) for r in plan(tweets, TOTALS, types=ALL_TYPES).requests] == [
        ("", (2,), ("favorites", "quote_tweets", "replies", "retweets", "video_views")),
        ("harborbooks", (1,), TOTALS.types),
    ]
    for endpoint, window in ((RECENT, None), (HISTORICAL, WINDOW)):
        made = plan(tweets, endpoint, types=ALL_TYPES, window=window)
        assert [request.handle for request in made.requests] == ["harborbooks"]
        assert made.left_out == {2: OF_OTHERS}


def test_the_251st_tweet_of_others_too_makes_a_second_request():
    made = plan([*owned(*range(1, 252), handle=""), *owned(999)], TOTALS, types=ALL_TYPES)
    assert [(request.handle, len(request.tweet_ids)) for request in made.requests] == [
        ("", 250),
        ("", 1),
        ("harborbooks", 1),
    ]


def test_a_plan_of_the_present_asks_for_a_tweet_that_was_posted_just_now():
    """It has no window that could end before."""
    newest = posted(midnight(date(2026, 6, 1)))
    for endpoint in (RECENT, TOTALS):
        assert plan(owned(newest), endpoint, types=TYPES).tweets == owned(newest)


def test_a_plan_names_its_endpoint_and_its_window_where_it_has_one():
    assert str(history([], WINDOW)) == "/historical 2026-01-04 to 2026-01-31"
    assert str(plan([], TOTALS, types=TYPES)) == "/totals"


def test_tweets_of_others_are_left_out_where_no_chosen_type_is_public():
    made = plan([*owned(1), *owned(2, handle="")], TOTALS, types=["impressions"])
    assert [request.tweet_ids for request in made.requests] == [(1,)]
    assert made.left_out == {2: NOT_PUBLIC}


@pytest.mark.parametrize(
    ("endpoint", "types"), [(HISTORICAL, ["quote_tweets"]), (RECENT, ["quote_tweets"]), (TOTALS, ["url_clicks"])]
)
def test_types_that_an_endpoint_does_not_serve_are_refused_with_those_that_it_does(endpoint, types):
    with pytest.raises(InputError, match=f"none of the setting types is served by /{endpoint}: add some of ") as caught:
        plan(owned(1), endpoint, types=types)
    assert all(name in str(caught.value) for name in endpoint.types)


@given(st.lists(st.sampled_from(ALL_TYPES), min_size=1))
def test_only_types_that_the_endpoint_serves_are_sent(types):
    for endpoint in (TOTALS, RECENT, HISTORICAL):
        if set(types) & set(endpoint.types):
            (request,) = plan(owned(1), endpoint, types=types).requests
            assert set(request.types) == set(types) & set(endpoint.types)


@pytest.mark.parametrize(
    ("length", "cut"), [(1, [1]), (28, [28]), (29, [28, 1]), (56, [28, 28]), (365, [28] * 13 + [1])]
)
def test_the_28th_day_still_fits_and_the_last_window_is_what_is_left(length, cut):
    first = LAST_WHOLE_DAY - timedelta(days=length - 1)
    made = windows(first, LAST_WHOLE_DAY, last_whole_day=LAST_WHOLE_DAY)
    assert [(window.end - window.first).days for window in made] == cut
    assert (made[0].first, made[-1].last) == (first, LAST_WHOLE_DAY)


def test_a_window_begins_with_the_day_of_a_cut_inside_of_the_range():
    first, last = date(2026, 1, 1), date(2026, 1, 31)
    cut = windows(first, last, last_whole_day=last, cut=date(2026, 1, 30))
    assert cut == (
        Window(first, date(2026, 1, 28)),
        Window(date(2026, 1, 29), date(2026, 1, 29)),
        Window(date(2026, 1, 30), last),
    )
    whole = windows(first, last, last_whole_day=last)
    for outside in (date(2025, 12, 31), first, date(2026, 2, 1)):
        assert windows(first, last, last_whole_day=last, cut=outside) == whole


def test_two_accounts_never_share_a_request_though_one_would_hold_both():
    old = posted(midnight(date(2025, 12, 1)))
    requests = history([*owned(old, handle="b"), *owned(old + 1, handle="a")], WINDOW).requests
    assert [(request.handle, request.tweet_ids) for request in requests] == [("a", (old + 1,)), ("b", (old,))]


def test_a_tweet_of_the_windows_last_millisecond_is_in_and_one_of_the_next_is_not():
    end = midnight(WINDOW.end)
    last_in, first_out = posted(end - timedelta(milliseconds=1)), posted(end)
    made = history(owned(last_in, first_out), WINDOW)
    assert made.tweets == owned(last_in)
    assert made.left_out == {first_out: NOT_POSTED}


def test_an_id_older_than_snowflake_carries_no_time_and_is_always_asked_for():
    made = history(owned(29_999_999_999, 20), Window(date(2014, 9, 1), date(2014, 9, 1)))
    assert made.tweets == owned(20, 29_999_999_999)


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


def test_a_day_before_the_contracts_history_is_refused():
    oldest = date(2025, 2, 2)
    (window,) = windows(oldest, oldest, last_whole_day=LAST_WHOLE_DAY, oldest_day=oldest)
    assert window.first == oldest
    with pytest.raises(InputError, match="2025-02-01 is before 2025-02-02, where the API's data begin"):
        windows(date(2025, 2, 1), oldest, last_whole_day=LAST_WHOLE_DAY, oldest_day=oldest)


def test_the_first_and_the_last_day_that_there_are_can_be_asked_for():
    for day in (date(2014, 9, 1), LAST_WHOLE_DAY):
        assert windows(day, day, last_whole_day=LAST_WHOLE_DAY) == (Window(day, day),)


def test_a_window_ends_where_the_api_wants_its_exclusive_end():
    assert WINDOW.end == date(2026, 2, 1)
    assert str(WINDOW) == "2026-01-04 to 2026-01-31"
