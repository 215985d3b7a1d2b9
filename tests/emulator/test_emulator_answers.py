"""The body of a 200: golden bodies of the contract, nesting, sums, lists and partial hours."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import orjson
import pytest
from emulator_client import FOUR_WAY, NO_WINDOW, NOW, body, healthy, tweets

from engagement_pipeline.emulator import HANDLES, Tweet, World, answers, rules
from engagement_pipeline.emulator.refusals import Refusal

TWEET, TYPE, DAY, HOUR = FOUR_WAY
OWNER = HANDLES[0].author_id


def answer(world, fields, *, endpoint="historical", author_id=OWNER, **options):
    asked = rules.read(endpoint, orjson.dumps(fields), now=world.now(), max_age_days=None)
    served = answers.sort_tweets(asked, world, author_id=author_id, **options)
    return orjson.loads(answers.answer(asked, served, world))


def grouped(*names, start="2026-03-10", end="2026-03-12"):
    """Return the one grouping of a request for two healthy Tweets."""
    fields = body(*PAIR, start=start, end=end, groupings={"g": {"group_by": list(names)}})
    return answer(World(now=NOW), fields)["g"]


PAIR = [healthy(place=30).tweet_id, healthy(place=24).tweet_id]
TYPES = ["impressions", "url_clicks"]


class ContractWorld(World):
    """The world of the contract's example response."""

    def tweet(self, tweet_id):
        state = {1890000000000000001: "ok", 1890000000000000009: "deleted"}[tweet_id]
        return Tweet(tweet_id, "harborbooks", OWNER, datetime(2025, 12, 31, tzinfo=UTC), state, has_video=False)

    def shown(self, tweet_ids, types, first_hour, hours):
        assert (tweet_ids, types, hours) == ([1890000000000000001], ("impressions", "url_clicks"), 26)
        counts = np.zeros((1, 2, 26), dtype=np.int64)
        counts[0, 0, [0, 1, 24, 25]] = 551, 412, 19, 6
        counts[0, 1, 0] = 3
        return counts


def test_the_example_of_the_contract():
    fields = {
        "tweet_ids": ["1890000000000000001", "1890000000000000009"],
        "engagement_types": ["impressions", "url_clicks"],
        "groupings": {"hourly": {"group_by": FOUR_WAY}, "totals": {"group_by": [TWEET, TYPE]}},
        "start": "2026-01-01",
        "end": "2026-01-02T02:00:00Z",
    }
    quiet = {f"{hour:02}": "0" for hour in range(2, 24)}
    assert answer(ContractWorld(now=NOW), fields) == {
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-02T02:00:00Z",
        "unavailable_tweet_ids": ["1890000000000000009"],
        "errors": ["1 Tweet ID(s) are unavailable"],
        "hourly": {
            "1890000000000000001": {
                "impressions": {
                    "2026-01-01": {"00": "551", "01": "412", **quiet},
                    "2026-01-02": {"00": "19", "01": "6"},
                },
                "url_clicks": {
                    "2026-01-01": {"00": "3", "01": "0", **quiet},
                    "2026-01-02": {"00": "0", "01": "0"},
                },
            }
        },
        "totals": {"1890000000000000001": {"impressions": "988", "url_clicks": "3"}},
    }


def leaf(tweet_id, name, hour, hours=1):
    first = datetime.fromisoformat(f"2026-03-{hour}:00:00Z")
    return str(World().counts([tweet_id], [name], first, hours).sum())


def test_a_grouping_nests_in_the_order_asked():
    first, second = map(str, PAIR)
    assert grouped(TWEET, TYPE, DAY, HOUR)[second]["url_clicks"]["2026-03-11"]["07"] == leaf(
        PAIR[1], "url_clicks", "11T07"
    )
    assert grouped(TYPE, TWEET, DAY, HOUR)["impressions"][first]["2026-03-10"]["23"] == leaf(
        PAIR[0], "impressions", "10T23"
    )
    assert grouped(DAY, TYPE, TWEET)["2026-03-11"]["impressions"][first] == leaf(PAIR[0], "impressions", "11T00", 24)
    assert grouped(TYPE, HOUR, DAY)["impressions"]["05"].keys() == {"2026-03-10", "2026-03-11"}
    assert grouped(TWEET) == {
        str(tweet_id): str(sum(int(leaf(tweet_id, name, "10T00", 48)) for name in TYPES)) for tweet_id in PAIR
    }


def test_every_order_of_groups_sums_the_same_cells():
    """An hour without a day stands under its date, so there are always days where there are hours."""
    cells = {
        (tweet, name, day, hour): int(count)
        for tweet, types in grouped(*FOUR_WAY).items()
        for name, days in types.items()
        for day, hours in days.items()
        for hour, count in hours.items()
    }
    for order in (order for length in (1, 2, 3) for order in permutations(FOUR_WAY, length)):
        place = order.index(HOUR) if HOUR in order and DAY not in order else 0
        nesting = [*order[:place], *([DAY] if HOUR in order and DAY not in order else []), *order[place:]]
        sums = Counter()
        for cell, count in cells.items():
            sums[tuple(cell[FOUR_WAY.index(name)] for name in nesting)] += count
        assert dict(leaves(grouped(*order))) == dict(sums), order


def leaves(branch, *path):
    """Yield the path and the count of each leaf of a grouping."""
    for key, below in branch.items():
        if isinstance(below, dict):
            yield from leaves(below, *path, key)
        else:
            yield (*path, key), int(below)


def test_hours_without_days_nest_date_then_hour():
    assert grouped(TWEET, HOUR).keys() == set(map(str, PAIR))
    assert grouped(HOUR) == grouped(DAY, HOUR)
    assert list(grouped(HOUR)) == ["2026-03-10", "2026-03-11"]


def test_days_and_hours_outside_the_window_are_absent():
    table = grouped(DAY, HOUR, start="2026-03-10T22:30:00Z", end="2026-03-11T01:00:00Z")
    assert {day: list(hours) for day, hours in table.items()} == {
        "2026-03-10": ["22", "23"],
        "2026-03-11": ["00"],
    }
    turned = grouped(HOUR, DAY, start="2026-03-10T22:30:00Z", end="2026-03-11T01:00:00Z")
    assert {hour: list(days) for hour, days in turned.items()} == {
        "00": ["2026-03-11"],
        "22": ["2026-03-10"],
        "23": ["2026-03-10"],
    }


def test_the_groupings_of_a_response_add_up():
    groupings = {"cells": FOUR_WAY, "tweets": [TWEET, TYPE], "types": [TYPE]}
    fields = body(*PAIR, groupings={name: {"group_by": names} for name, names in groupings.items()})
    found = answer(World(now=NOW, settle_hours=240), fields)
    for name in TYPES:
        cells = [int(c) for tweet in found["cells"].values() for day in tweet[name].values() for c in day.values()]
        assert sum(cells) == sum(int(types[name]) for types in found["tweets"].values()) == int(found["types"][name])
    assert int(found["types"]["impressions"]) > 0


def test_a_grouping_keeps_a_name_with_any_characters():
    name = 'a "%d" 日'
    found = answer(World(now=NOW), body(groupings={name: {"group_by": [TYPE]}}))
    assert found[name].keys() == set(TYPES)


def test_deleted_vanished_and_unknown_tweets_are_unavailable():
    deleted, vanished, unknown = tweets("harborbooks", "deleted")[0].tweet_id, PAIR[0], 20
    found = answer(World(now=NOW), body(deleted, vanished, unknown, PAIR[1]), vanished={vanished})
    assert found["unavailable_tweet_ids"] == [str(deleted), str(vanished), "20"]
    assert found["errors"] == ["3 Tweet ID(s) are unavailable"]
    assert found["sums"].keys() == {str(PAIR[1])}


def test_a_request_with_no_tweet_left_is_served_empty():
    found = answer(World(now=NOW), body(20, groupings={"a": {"group_by": [TYPE]}, "b": {"group_by": FOUR_WAY}}))
    assert (found["a"], found["b"], found["unavailable_tweet_ids"]) == ({}, {}, ["20"])


@pytest.mark.parametrize(
    ("spelling", "form"),
    [
        ("author", "Forbidden to access tweets for author id {author}: {first}, {second}"),
        ("tweets", "Forbidden to access tweets: {first}; {second}"),
        ("unnamed", "Forbidden to access tweets"),
    ],
)
def test_one_foreign_tweet_rejects_the_request(spelling, form):
    foreign = sorted(tweet.tweet_id for tweet in tweets("lumenaudio")[:2])
    with pytest.raises(Refusal) as refusal:
        answer(World(now=NOW), body(PAIR[0], *foreign), spelling=spelling)
    text = form.format(author=HANDLES[1].author_id, first=foreign[0], second=foreign[1])
    assert (refusal.value.status, refusal.value.errors) == (403, (text,))


def test_each_foreign_author_has_a_text():
    with pytest.raises(Refusal) as refusal:
        answer(World(now=NOW), body(healthy("lumenaudio").tweet_id, healthy("tidalcoffee").tweet_id))
    assert [text.split(":")[0] for text in refusal.value.errors] == [
        f"Forbidden to access tweets for author id {handle.author_id}" for handle in HANDLES[1:]
    ]


def test_a_protected_tweet_rejects_the_request_without_a_name():
    with pytest.raises(Refusal) as refusal:
        answer(World(now=NOW), body(PAIR[0], tweets("harborbooks", "protected")[0].tweet_id))
    assert (refusal.value.status, refusal.value.errors) == (400, ("Tweet ID(s) are unavailable",))


def test_a_bearer_token_reads_public_metrics_of_anyone():
    ids = [healthy("lumenaudio").tweet_id, PAIR[0]]
    public = ["favorites", "retweets", "replies", "quote_tweets", "video_views"]
    found = answer(World(now=NOW), body(*ids, engagement_types=public, **NO_WINDOW), endpoint="totals", author_id=None)
    assert found["sums"].keys() == set(map(str, ids))


def test_a_bearer_token_reads_no_private_metrics():
    fields = body(engagement_types=["impressions", "favorites", "engagements"], **NO_WINDOW)
    with pytest.raises(Refusal) as refusal:
        answer(World(now=NOW), fields, endpoint="totals", author_id=None)
    text = "Forbidden to access metrics: impressions, engagements"
    assert (refusal.value.status, refusal.value.errors) == (403, (text,))


def test_totals_of_tweets_past_90_days_have_no_impressions():
    old = next(tweet for tweet in tweets("harborbooks") if NOW - tweet.created > timedelta(days=90))
    fields = body(old.tweet_id, PAIR[0], engagement_types=["impressions", "favorites"], **NO_WINDOW)
    found = answer(World(now=NOW), fields, endpoint="totals")
    assert found["unsupported_for_impressions_engagements_tweet_ids"] == [str(old.tweet_id)]
    text = f"Impressions & engagements for tweets older than 90 days ({old.tweet_id}) are not supported"
    assert found["errors"] == [text]
    assert found["sums"][str(old.tweet_id)]["impressions"] == "0"
    assert int(found["sums"][str(PAIR[0])]["impressions"]) > 0
    assert int(found["sums"][str(old.tweet_id)]["favorites"]) > 0
    assert not {"start", "end", "unsupported_for_video_views_tweet_ids"} & found.keys()


@pytest.mark.parametrize("endpoint", ["totals", "28hr", "historical"])
def test_tweets_past_1800_days_have_no_video_views(endpoint):
    old = next(tweet for tweet in tweets("harborbooks") if NOW - tweet.created > timedelta(days=1800))
    window = {} if endpoint == "historical" else NO_WINDOW
    fields = body(old.tweet_id, PAIR[0], engagement_types=["video_views"], **window)
    found = answer(World(now=NOW), fields, endpoint=endpoint)
    assert found["unsupported_for_video_views_tweet_ids"] == [str(old.tweet_id)]
    assert found["sums"][str(old.tweet_id)]["video_views"] == "0"
    del fields["engagement_types"]
    other = answer(World(now=NOW), fields | {"engagement_types": ["favorites"]}, endpoint=endpoint)
    assert "unsupported_for_video_views_tweet_ids" not in other


@pytest.mark.parametrize(
    ("days", "types", "key"),
    [
        (90, ["impressions", "engagements"], "unsupported_for_impressions_engagements_tweet_ids"),
        (1800, ["video_views"], "unsupported_for_video_views_tweet_ids"),
    ],
)
def test_a_tweet_of_just_that_age_is_supported_and_a_second_later_it_is_not(days, types, key):
    tweet = healthy(place=30)
    fields = body(tweet.tweet_id, engagement_types=types, **NO_WINDOW)
    world = World(now=tweet.created.replace(microsecond=0) + timedelta(days=days))
    assert key not in answer(world, fields, endpoint="totals")
    world.fixed_now += timedelta(seconds=1)
    late = answer(world, fields, endpoint="totals")
    assert late[key] == [str(tweet.tweet_id)]
    assert set(late["sums"][str(tweet.tweet_id)].values()) == {"0"}


def test_totals_count_the_likes_that_historical_does_not_know():
    """/historical shows favorites, retweets and replies as zero before 2015-09-15; a lifetime began earlier."""
    tweet = next(t for t in reversed(tweets("harborbooks")) if t.state == "ok")
    fields = body(tweet.tweet_id, engagement_types=["favorites"], groupings={"g": {"group_by": [TYPE]}}, **NO_WINDOW)
    life = int(answer(World(now=NOW), fields, endpoint="totals")["g"]["favorites"])
    known = World(now=NOW).shown([tweet.tweet_id], ["favorites"], datetime(2015, 6, 1, tzinfo=UTC), 11 * 366 * 24)
    assert life > known.sum()


def test_totals_are_the_sum_of_all_historical_hours_but_videos_count_reposts_too():
    tweet = next(tweet for tweet in tweets("harborbooks")[40:] if tweet.has_video)
    types = ["impressions", "engagements", "favorites", "video_views"]
    groupings = {"sums": {"group_by": [TYPE]}}
    fields = body(tweet.tweet_id, engagement_types=types, groupings=groupings, **NO_WINDOW)
    world = World(now=NOW)
    assert NOW - tweet.created < timedelta(days=28)
    past, totals = answer(world, fields)["sums"], answer(world, fields, endpoint="totals")["sums"]
    assert {name: totals[name] for name in types[:3]} == {name: past[name] for name in types[:3]}
    assert int(totals["video_views"]) > int(past["video_views"]) > 0


def test_the_first_and_last_of_the_28_hours_are_partial():
    ids = [tweet.tweet_id for tweet in tweets("harborbooks")[:12]]
    fields = body(
        *ids, engagement_types=["impressions"], groupings={"g": {"group_by": [TWEET, DAY, HOUR]}}, **NO_WINDOW
    )
    found = answer(World(now=NOW), fields, endpoint="28hr")
    whole = World().counts(ids, ["impressions"], NOW - timedelta(hours=28, minutes=30), 29)[:, 0]
    table = found["g"].values()
    assert (found["start"], found["end"]) == ("2026-03-14T08:00:00Z", "2026-03-15T13:00:00Z")
    assert [int(tweet["2026-03-14"]["08"]) for tweet in table] == (whole[:, 0] // 2).tolist()
    assert [int(tweet["2026-03-14"]["09"]) for tweet in table] == whole[:, 1].tolist()
    assert [int(tweet["2026-03-15"]["12"]) for tweet in table] == (whole[:, 28] // 2).tolist()
    assert whole[:, [0, 28]].sum() > 2
