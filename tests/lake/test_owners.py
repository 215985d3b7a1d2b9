"""The tokens in tweets.parquet tell whether each Tweet still has the owner that it had."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engagement_pipeline.lake import owners
from engagement_pipeline.lake.layout import Lake


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    lake.open()
    return lake


def tweets(handles):
    times = pa.nulls(len(handles), pa.timestamp("us", "UTC"))
    names = pa.array([*handles.values()], pa.string())
    return pa.table({"tweet_id": [*handles], "handle": names, "posted_at": times})


def saved(lake, before, after):
    known = None if before is None else tweets(before)
    pq.write_table(owners.told(lake, known, tweets(after)), lake.tweets)
    return owners.tokens(lake)


def test_the_same_tweets_keep_their_tokens(lake):
    first = saved(lake, None, {1: "ann"})
    assert saved(lake, {1: "ann"}, {1: "ann"}) == first


def test_a_tweet_that_is_added_adds_a_token(lake):
    first = saved(lake, None, {1: "ann"})
    second = saved(lake, {1: "ann"}, {1: "ann", 2: None})
    assert second[:-1] == first
    assert second[-1] not in first


@pytest.mark.parametrize("after", [{1: "bob", 2: "ann"}, {1: None, 2: "ann"}, {2: "ann"}])
def test_a_tweet_with_another_owner_or_that_is_gone_leaves_none_of_the_tokens(lake, after):
    before = {1: "ann", 2: "ann"}
    first = saved(lake, None, before)
    assert not {*first} & {*saved(lake, before, after)}


def test_a_file_that_is_made_anew_has_another_token(lake):
    assert saved(lake, None, {1: "ann"}) != saved(lake, None, {1: "ann"})


def test_without_tokens_the_file_itself_is_one(lake):
    assert owners.tokens(lake) == ("no file",)
    pq.write_table(tweets({1: "ann"}), lake.tweets)
    first = owners.tokens(lake)
    lake.tweets.unlink()
    pq.write_table(tweets({1: "bob", 2: "ann"}), lake.tweets)
    assert len(first) == 1
    assert owners.tokens(lake) != first


def test_the_oldest_tokens_go(lake, monkeypatch):
    monkeypatch.setattr(owners, "MOST", 2)
    known = {1: "ann"}
    first = saved(lake, None, known)
    for tweet in (2, 3):
        before, known = known, known | {tweet: "ann"}
        last = saved(lake, before, known)
    assert len(last) == 2
    assert first[0] not in last
