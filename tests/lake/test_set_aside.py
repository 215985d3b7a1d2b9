"""The list of Tweets that the API would not serve: the newest word counts, and none rests for ever without a cause."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from bodies import at, begin, full, land, observed, pulled, totals
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.core.endpoints import HISTORICAL, TOTALS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Tweet
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.set_aside import (
    FORBIDDEN,
    PROTECTED,
    UNAVAILABLE,
    SetAside,
    asked_alone,
    load,
    merge,
    resting,
)
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.transport.accounts import Account, Accounts, App

ANN = Account("ann", "1-token", "secret")
RENEWED = Account("ann", "1-another", "secret")


def accounts(*known):
    return Accounts(App("key", "secret"), {account.handle: account for account in known})


def word(tweet_id=1, *, reason=UNAVAILABLE, asked_at=at(1), **further):  # noqa: B008 - a constant
    """Return what the API said of a Tweet of Ann's."""
    said = SetAside(
        tweet_id=tweet_id,
        handle="ann",
        endpoint=HISTORICAL.name,
        reason=reason,
        text=None,
        asked_at=asked_at,
        tokens=ANN.fingerprint,
    )
    return dataclasses.replace(said, **further)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


def hear(lake, *words):
    """Merge words into the list; return whether it changed."""
    return merge(lake, {said.tweet_id: said for said in words}, into=lake.set_aside)


def refuse(lake, tweet, reason, *, handle="ann", tokens=ANN.fingerprint, asked_at=at(1)):  # noqa: B008 - a constant
    hear(lake, word(tweet, reason=reason, handle=handle, tokens=tokens, asked_at=asked_at))


# The list.


def test_a_lake_without_a_list_has_set_no_tweet_aside(lake):
    assert load(lake) == {}
    assert resting(lake, accounts(ANN).fingerprints, now=at(1)) == {}


def test_the_list_is_kept_as_it_was_said_and_sorted_by_tweet(lake):
    said = [word(2, text="403: no", reason=FORBIDDEN), word(1, handle="", tokens="", endpoint=TOTALS.name)]
    assert hear(lake, *said)
    assert [*load(lake).items()] == [(1, said[1]), (2, said[0])]


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_the_newest_word_counts_in_whichever_order_they_come(lake, minutes):
    later = at(1) + timedelta(minutes=minutes)
    hear(lake, word(reason=PROTECTED))
    hear(lake, word(reason=UNAVAILABLE, asked_at=later))
    assert load(lake)[1].reason == (UNAVAILABLE if minutes > 0 else PROTECTED)


def test_a_tweet_that_is_served_again_leaves_the_list_and_the_others_stay(lake):
    hear(lake, word(1), word(2))
    assert hear(lake, word(1, reason="", asked_at=at(2)))
    assert [*load(lake)] == [2]


def test_an_older_answer_takes_no_tweet_off_the_list(lake):
    hear(lake, word(1, asked_at=at(2)))
    assert not hear(lake, word(1, reason="", asked_at=at(1)))
    assert [*load(lake)] == [1]


def test_nothing_is_written_where_nothing_changes(lake):
    assert not hear(lake)
    assert not hear(lake, word(1, reason=""))
    assert not lake.set_aside.exists()
    hear(lake, word(1))
    before = lake.set_aside.stat().st_mtime_ns
    assert not hear(lake, word(1))
    assert lake.set_aside.stat().st_mtime_ns == before


def test_the_last_tweet_may_leave_the_list(lake):
    hear(lake, word(1))
    assert hear(lake, word(1, reason="", asked_at=at(2)))
    assert load(lake) == {}


HEARD = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", UNAVAILABLE, FORBIDDEN]), st.integers(0, 59)))


@settings(deadline=None)
@given(HEARD, st.randoms(use_true_random=False))
def test_the_list_is_the_newest_word_of_each_tweet(tmp_path_factory, heard, random):
    """Whatever is heard, in batches or one by one."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    said = [
        word(tweet, reason=reason, asked_at=at(1, minute) + timedelta(seconds=place))
        for place, (tweet, reason, minute) in enumerate(heard[:60])
    ]
    said.sort(key=lambda w: w.asked_at)
    newest = {w.tweet_id: w for w in said}
    while said:
        size = random.randint(1, len(said))
        hear(lake, *said[:size])
        said = said[size:]
    assert load(lake) == {tweet: w for tweet, w in newest.items() if w.reason}


def test_a_damaged_list_is_named_with_the_fix(lake):
    lake.set_aside.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"set_aside\.parquet is damaged \(.*\): put it back from a backup"):
        load(lake)


# Rest.


@pytest.mark.parametrize(("reason", "days"), [(UNAVAILABLE, 30), (PROTECTED, 7)])
def test_a_tweet_rests_for_its_days_and_is_asked_for_at_their_end(lake, reason, days):
    refuse(lake, 1, reason)
    end = at(1) + timedelta(days=days)
    assert resting(lake, accounts(ANN).fingerprints, now=end - timedelta(seconds=1)) == {
        Tweet(1, "ann"): f"{reason} on 2026-02-01, asked for again after {days} days"
    }
    assert resting(lake, accounts(ANN).fingerprints, now=end) == {}


def test_a_tweet_that_was_refused_when_the_clock_was_far_ahead_does_not_rest_until_then(lake):
    hear(lake, word(asked_at=at(1) + timedelta(days=365)))
    assert resting(lake, accounts(ANN).fingerprints, now=at(1)) == {}


def test_new_tokens_do_not_wake_a_tweet_that_is_gone(lake):
    refuse(lake, 1, UNAVAILABLE)
    assert resting(lake, accounts(RENEWED).fingerprints, now=at(2)) != {}


def test_a_forbidden_tweet_rests_until_its_account_s_tokens_change(lake):
    refuse(lake, 1, FORBIDDEN)
    years_later = datetime(2036, 1, 1, tzinfo=UTC)
    assert resting(lake, accounts(ANN).fingerprints, now=years_later) == {
        Tweet(1, "ann"): "forbidden to ann, asked for again once its tokens change"
    }
    assert resting(lake, accounts(RENEWED).fingerprints, now=at(2)) == {}
    assert resting(lake, accounts().fingerprints, now=at(2)) == {}


def test_a_tweet_forbidden_to_the_bearer_token_rests_as_a_protected_one(lake):
    """It has no tokens that could change, and shall not cost a request a day."""
    refuse(lake, 1, FORBIDDEN, handle="", tokens="")
    assert resting(lake, accounts(ANN).fingerprints, now=at(2)) == {
        Tweet(1, ""): "forbidden on 2026-02-01, asked for again after 7 days"
    }
    assert resting(lake, accounts(ANN).fingerprints, now=at(1) + timedelta(days=7)) == {}


def test_a_tweet_rests_for_the_account_that_asked_alone(lake):
    """Its owner mended in the roster, it is another account's to ask for."""
    refuse(lake, 1, FORBIDDEN)
    found = resting(lake, accounts(ANN, Account("bob", "2-token", "secret")).fingerprints, now=at(2))
    assert Tweet(1, "ann") in found
    assert not {Tweet(1, "bob"), Tweet(1, "")} & found.keys()


def test_only_a_protected_tweet_is_asked_for_alone(lake):
    """The others are named by the API, so they cost a batch nothing or one request."""
    assert asked_alone(lake) == frozenset()
    hear(lake, *(word(t, reason=reason) for t, reason in enumerate((UNAVAILABLE, PROTECTED, FORBIDDEN), 1)))
    assert asked_alone(lake) == {2}


# Published.


def test_a_publication_keeps_the_list(lake):
    pulled(lake, full([1], 5), at(1), tweets=[1, 9], unavailable_tweet_ids=["9"])
    pull = begin(lake, at(2))
    land(pull, {}, tweets=[2], refusal="403: Forbidden to access tweets: 2")
    land(pull, {}, tweets=[3], refusal="400: Tweet ID(s) are unavailable")
    pull.marked(finished=True)
    publish_pulls(lake)
    assert {t: (w.reason, w.text, w.handle, w.endpoint, w.asked_at) for t, w in load(lake).items()} == {
        2: (FORBIDDEN, "403: Forbidden to access tweets: 2", "ann", HISTORICAL.name, at(2)),
        3: (PROTECTED, "400: Tweet ID(s) are unavailable", "ann", HISTORICAL.name, at(2)),
        9: (UNAVAILABLE, None, "ann", HISTORICAL.name, at(1)),
    }
    pulled(lake, full([9], 5), at(3))
    publish_pulls(lake)
    assert [*load(lake)] == [2, 3]


def test_a_tweet_that_another_endpoint_serves_leaves_the_list_too(lake):
    pulled(lake, full([1], 5), at(1), tweets=[1, 9], unavailable_tweet_ids=["9"])
    publish_pulls(lake)
    observed(lake, TOTALS, totals({(9, "favorites"): 7}), at(2), tweets=[9])
    publish_pulls(lake)
    assert load(lake) == {}
