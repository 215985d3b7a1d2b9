"""Whatever was pulled, in whatever order and with whatever gaps: rebuilt from raw, pruned or not, no row changes."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from bodies import TYPES, at, begin, land, observed, parts, totals
from each_source import LONG
from histories import FIRST, SECOND, THIRD, TODAY, delete
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import check_daily, contents, rebuilt

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import ACCOUNT_REFUSED
from engagement_pipeline.lake import set_aside
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.publish.publisher import publish_pulls

TWEETS = (1, 2, 3)
WINDOWS = [Window(*days) for days in ((FIRST, FIRST), (FIRST, SECOND), (SECOND, THIRD), (FIRST, THIRD))]
NO_WORD = {"refusal": "401: Access token not found", "unanswered": ACCOUNT_REFUSED}
REFUSALS = ("403: Forbidden to access tweets: 0", "400: Tweet ID(s) are unavailable")
TABLES = ("engagements", "daily", "coverage", "revisions", "totals", "recent.parquet")

some_types = st.sampled_from([TYPES, TYPES[:1], TYPES[1:]])
some_tweets = st.lists(st.sampled_from(TWEETS), min_size=1, unique=True)


@st.composite
def answers(draw, tweets, window, types, *, lowest):
    """Make what one response says of some Tweets: cells with gaps, Tweets that are not served, a refusal, or none."""
    if draw(st.integers(0, 4)) == 0:
        word = {"refusal": draw(st.sampled_from(REFUSALS))} if draw(st.booleans()) else NO_WORD
        return {"cells": {}, "tweets": tweets, **word}
    unserved = draw(st.lists(st.sampled_from(tweets), unique=True)) if draw(st.booleans()) else []
    served = [tweet for tweet in tweets if tweet not in unserved]
    keys = [(t, name, day, hour) for t in served for name in types for day in window.days() for hour in (0, 7)]
    cells = {key: draw(st.integers(lowest, 2)) for key in keys if draw(st.integers(0, 3))}
    return {"cells": cells, "tweets": tweets, "unavailable_tweet_ids": [str(tweet) for tweet in unserved]}


@st.composite
def pulls(draw, *, lowest):
    """Make a pull of hours: responses that are published as they land or with the next.

    It asks again for a Tweet that was refused, and for none that was answered for.
    """
    window, types = draw(st.sampled_from(WINDOWS)), draw(some_types)
    left, responses = list(TWEETS), []
    for _ in range(draw(st.integers(1, 3))):
        if left:
            tweets = draw(st.lists(st.sampled_from(left), min_size=1, unique=True))
            answer = draw(answers(tweets, window, types, lowest=lowest))
            responses.append((answer, draw(st.booleans())))
            left = [tweet for tweet in left if "refusal" in answer or tweet not in tweets]
    return {"window": window, "types": types, "responses": responses, "finished": draw(st.booleans())}


@st.composite
def observations(draw, endpoint):
    """Make an answer of the present."""
    tweets = draw(some_tweets)
    served = tweets if draw(st.booleans()) else tweets[1:]
    names = draw(st.lists(st.sampled_from(["favorites", "retweets"]), min_size=1, unique=True))
    counts = {(tweet, name): draw(st.integers(0, 2)) for tweet in served for name in names}
    content = totals(counts)
    if endpoint == RECENT:
        content = parts({(*key, TODAY, hour): count for key, count in counts.items() for hour in (1, 2)})
    unserved = [str(tweet) for tweet in tweets if tweet not in served]
    return {"endpoint": endpoint, "content": content, "tweets": tweets, "unavailable_tweet_ids": unserved}


def steps_of(source):
    """Make pulls; and of the Engagement API, counts below zero, which v2 does not have, and observations."""
    if source != HISTORICAL.source:
        return st.lists(pulls(lowest=0), min_size=1, max_size=5)
    of_hours = pulls(lowest=-1)
    steps = st.one_of(of_hours, of_hours, observations(TOTALS), observations(RECENT))
    return st.lists(steps, min_size=1, max_size=5)


def lived(lake, made):
    """Pull and publish, an hour after each other."""
    for hour, step in enumerate(made, start=1):
        now = at(0) + timedelta(hours=hour)
        if "endpoint" in step:
            observed(lake, step.pop("endpoint"), step.pop("content"), now, **step)
        else:
            pull = begin(lake, now, window=step["window"], types=step["types"])
            for minute, (answer, published) in enumerate(step["responses"]):
                land(pull, asked_at=now + timedelta(minutes=minute), **answer)
                if published:
                    publish_pulls(lake)
            if step["finished"]:
                pull.marked(finished=True)
        publish_pulls(lake)
        check_daily(lake)


@pytest.mark.parametrize(
    ("examples", "same"), [(2, True), pytest.param(500, False, marks=pytest.mark.faults)], ids=["short", "long"]
)
@LONG
def test_tables_rebuilt_from_raw_are_the_tables_that_were_published(each_source, examples, same):
    made = steps_of(each_source).map(lambda made: [dict(step) for step in made])
    chosen = settings(max_examples=examples, deadline=None, derandomize=same)
    chosen(given(st.just(each_source), made, st.integers(0, 6))(check))()


def check(source, made, hours):
    """Rebuild first all tables from nothing, then those of which raw has lost what was pruned."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder)).of(source)
        lived(lake, made)
        publish_pulls(lake)  # what an unfinished pull was refused is said again, whatever another endpoint served since
        before, listed = contents(lake), set_aside.load(lake)
        delete(lake, *(name for name in TABLES if (lake.root / name).exists()))
        assert [day for day in rebuilt(lake) if day.kept or day.lost] == []
        assert contents(lake) == before
        check_daily(lake)
        retention.drop(lake, retention.spent(lake, before=at(0) + timedelta(hours=hours)))
        assert contents(lake) == before
        report = rebuilt(lake)
        assert contents(lake) == before
        assert [day for day in report if day.lost or day.changed] == []
        publish_pulls(lake)
        assert (contents(lake), set_aside.load(lake)) == (before, listed)
        check_daily(lake)
