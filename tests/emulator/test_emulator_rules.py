"""The rules of a request's body, one row a rule of the contract: what is refused, what is served, how it is read."""

from datetime import UTC, datetime
from itertools import permutations

import orjson
import pytest
from emulator_client import FOUR_WAY, NO_WINDOW, NOW, PUBLIC, SERIES, body, by

from engagement_pipeline.emulator import rules
from engagement_pipeline.emulator.refusals import Refusal

TWEET, TYPE, DAY, HOUR = FOUR_WAY


def read(fields, *, endpoint="historical", max_age_days=None):
    content = fields if isinstance(fields, bytes) else orjson.dumps(fields)
    return rules.read(endpoint, content, now=NOW, max_age_days=max_age_days)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (b"", "not valid JSON"),
        (b'{"tweet_ids": [', "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (body(colour="red"), "Unknown fields for /historical: colour"),
        (body(tweet_ids=None), "tweet_ids must be a non-empty array"),
        (body(tweet_ids=[]), "tweet_ids must be a non-empty array"),
        (body(tweet_ids="12"), "tweet_ids must be a non-empty array"),
        (body(*range(1, 27)), "Too many tweet_ids: 26, /historical takes 25"),
        (body(tweet_ids=["1"] * 26), "Too many tweet_ids: 26"),
        (body(tweet_ids=["one"]), 'Not a Tweet ID: "one"'),
        (body(tweet_ids=[1.5]), "Not a Tweet ID: 1.5"),
        (body(tweet_ids=[True]), "Not a Tweet ID: true"),
        (body(tweet_ids=["-1"]), 'Not a Tweet ID: "-1"'),
        (body(tweet_ids=["9223372036854775808"]), "Not a Tweet ID"),
        (body(engagement_types=None), "engagement_types must be a non-empty array"),
        (body(engagement_types=[]), "engagement_types must be a non-empty array"),
        (body(engagement_types=["likes"]), 'Not an engagement type of /historical: "likes"'),
        (body(engagement_types=["quote_tweets"]), 'Not an engagement type of /historical: "quote_tweets"'),
        (body(engagement_types=["media_clicks"]), 'Not an engagement type of /historical: "media_clicks"'),
        (body(engagement_types=[{}]), "Not an engagement type of /historical: {}"),
        (body(groupings=None), "1 to 3 groupings"),
        (body(groupings={}), "1 to 3 groupings"),
        (body(groupings=by(TYPE, count=4)), "1 to 3 groupings"),
        (body(groupings={"start": {"group_by": [TYPE]}}), 'Not a name for a grouping: "start"'),
        (body(groupings={"errors": {"group_by": [TYPE]}}), 'Not a name for a grouping: "errors"'),
        (body(groupings={"a": [TYPE]}), "Grouping a must be an object"),
        (body(groupings={"a": {"by": [TYPE]}}), "Grouping a must be an object"),
        (body(groupings={"a": {"group_by": []}}), "group_by of grouping a must be a non-empty array"),
        (body(groupings=by("tweet")), '/historical cannot group by "tweet"'),
        (body(groupings=by(TYPE, TYPE)), "Grouping g0 repeats a group"),
        (body(groupings=by(TWEET, DAY, TYPE, HOUR)), "a grouping by all four must be"),
        (body(groupings=by(TWEET, TYPE, HOUR, DAY)), "a grouping by all four must be"),
        (body(groupings=by(*FOUR_WAY, count=2)), "Only one grouping of a request may group by all four"),
        (body(start=None), "start and end are given together"),
        (body(end=None), "start and end are given together"),
        (body(start="10.3.2026"), "start must look like"),
        (body(start=20260310), "start must look like"),
        (body(start="2026-03-10T00:00:00"), "start must look like"),
        (body(start="2026-03-10T00:00:00+01:00"), "start must look like"),
        (body(start="2026-02-30"), "start is not a date: 2026-02-30"),
        (body(start="2026-03-11"), "start must be before end"),
        (body(start="2026-03-12"), "start must be before end"),
        (body(end="2026-03-16"), "end must not be in the future"),
        (body(end="2026-03-15T12:31:00Z"), "end must not be in the future"),
        (body(end="2026-03-15T12:00:01Z"), "end must not be in the future"),
        (body(end="9999-12-31T23:59:59Z"), "end must not be in the future"),
        (body(start="2026-02-10", end="2026-03-10T00:00:01Z"), "longer than 28 days"),
        (body(start="2026-02-09T23:59:59Z", end="2026-03-10"), "longer than 28 days"),
        (body(start="2014-08-31T23:59:00Z", end="2014-09-02"), "start is before the oldest data"),
    ],
)
def test_refused_on_historical(fields, text):
    with pytest.raises(Refusal) as refusal:
        read(fields)
    assert refusal.value.status == 400
    assert len(refusal.value.errors) == 1
    assert text in refusal.value.errors[0]


@pytest.mark.parametrize(
    ("endpoint", "fields", "text"),
    [
        ("totals", body(*range(1, 252), **NO_WINDOW), "Too many tweet_ids: 251, /totals takes 250"),
        ("28hr", body(*range(1, 27), **NO_WINDOW), "Too many tweet_ids: 26, /28hr takes 25"),
        ("totals", body(engagement_types=["url_clicks"], **NO_WINDOW), "Not an engagement type of /totals"),
        ("28hr", body(engagement_types=["quote_tweets"], **NO_WINDOW), "Not an engagement type of /28hr"),
        ("totals", body(engagement_types=PUBLIC, groupings=by(TWEET, DAY), **NO_WINDOW), "cannot group by"),
        ("totals", body(engagement_types=PUBLIC, groupings=by(HOUR), **NO_WINDOW), "cannot group by"),
        ("totals", body(engagement_types=PUBLIC), "Unknown fields for /totals: end, start"),
        ("28hr", body(), "Unknown fields for /28hr: end, start"),
        ("totals", body(groupings=by(*FOUR_WAY), engagement_types=PUBLIC, **NO_WINDOW), "cannot group by"),
        ("totals", body(engagement_types=PUBLIC, groupings=by(TYPE, count=4), **NO_WINDOW), "1 to 3 groupings"),
        ("28hr", body(groupings=by(TYPE, count=4), **NO_WINDOW), "1 to 3 groupings"),
        ("28hr", body(groupings=by(TWEET, DAY, TYPE, HOUR), **NO_WINDOW), "a grouping by all four must be"),
        ("28hr", body(groupings=by(*FOUR_WAY, count=2), **NO_WINDOW), "Only one grouping of a request"),
    ],
)
def test_refused_elsewhere(endpoint, fields, text):
    with pytest.raises(Refusal) as refusal:
        read(fields, endpoint=endpoint)
    assert text in refusal.value.errors[0]


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        ("historical", body(*range(1, 26))),
        ("historical", body(engagement_types=SERIES)),
        ("historical", body(groupings=by(TYPE, count=3))),
        ("historical", body(groupings=by(*FOUR_WAY))),
        ("historical", body(groupings=by(TYPE, TWEET, DAY, HOUR))),
        ("historical", body(groupings=by(HOUR, DAY, TWEET))),
        ("28hr", body(*range(1, 26), engagement_types=SERIES, groupings=by(*FOUR_WAY), **NO_WINDOW)),
        ("totals", body(*range(1, 251), engagement_types=["impressions", "engagements", *PUBLIC], **NO_WINDOW)),
    ],
)
def test_served_up_to_the_limits(endpoint, fields):
    asked = read(fields, endpoint=endpoint)
    assert [str(tweet_id) for tweet_id in asked.tweet_ids] == fields["tweet_ids"]
    assert list(asked.types) == fields["engagement_types"]
    assert {name: {"group_by": list(names)} for name, names in asked.groupings.items()} == fields["groupings"]


def test_the_capital_of_a_guide_stands_for_the_same_grouping():
    capital = ["Tweet.id", *FOUR_WAY[1:]]
    assert read(body(groupings=by(*capital))).groupings == {"g0": tuple(FOUR_WAY)}
    with pytest.raises(Refusal) as caught:
        read(body(groupings=by("Tweet.id", TWEET)))
    assert caught.value.errors == ("Grouping g0 repeats a group",)


@pytest.mark.parametrize("name", ["tweet.ID", "TWEET.ID", "Engagement.type"])
def test_no_other_capital_is_taken(name):
    with pytest.raises(Refusal):
        read(body(groupings=by(name)))


@pytest.mark.parametrize(("endpoint", "names"), [("totals", 2), ("28hr", 4), ("historical", 4)])
def test_up_to_three_groups_come_in_any_order_and_four_in_two(endpoint, names):
    window = {} if endpoint == "historical" else NO_WINDOW
    served = set()
    for length in range(1, names + 1):
        for order in permutations(FOUR_WAY[:names], length):
            fields = body(engagement_types=["favorites"], groupings=by(*order), **window)
            try:
                served.add(read(fields, endpoint=endpoint).groupings["g0"])
            except Refusal:
                assert length == 4
    assert len(served) == {2: 2 + 2, 4: 4 + 12 + 24 + 2}[names]
    assert {order for order in served if len(order) == 4} == set(rules.FOUR_WAY if names == 4 else ())


@pytest.mark.parametrize(
    ("start", "end", "used"),
    [
        ("2026-03-10", "2026-03-11", ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")),
        ("2026-03-10T12:24:00Z", "2026-03-10T12:25:00Z", ("2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z")),
        ("2026-03-10T23:59:59Z", "2026-03-11T23:00:01Z", ("2026-03-10T23:00:00Z", "2026-03-12T00:00:00Z")),
        ("2026-02-10", "2026-03-10", ("2026-02-10T00:00:00Z", "2026-03-10T00:00:00Z")),
        ("2026-03-15", "2026-03-15T12:00:00Z", ("2026-03-15T00:00:00Z", "2026-03-15T12:00:00Z")),
        ("2014-09-01", "2014-09-02", ("2014-09-01T00:00:00Z", "2014-09-02T00:00:00Z")),
        (None, None, ("2026-02-15T12:00:00Z", "2026-03-15T12:00:00Z")),
    ],
)
def test_the_window_snaps_outward_to_whole_hours(start, end, used):
    window = read(body(start=start, end=end)).window
    assert (rules.wire_time(window.start), rules.wire_time(window.end)) == used


@pytest.mark.parametrize(
    ("minute", "start", "buckets"), [(30, "2026-03-14T08:00:00Z", 29), (0, "2026-03-14T08:00:00Z", 28)]
)
def test_28_hours_snap_outward_too(minute, start, buckets):
    fields = orjson.dumps(body(**NO_WINDOW))
    window = rules.read("28hr", fields, now=NOW.replace(minute=minute), max_age_days=None).window
    assert (rules.wire_time(window.start), window.hours) == (start, buckets)


def test_totals_have_no_window():
    assert read(body(engagement_types=PUBLIC, **NO_WINDOW), endpoint="totals").window is None


def test_newer_contracts_go_back_less_far():
    fields = body(start="2025-03-15T12:00:00Z", end="2025-03-16")
    assert read(fields, max_age_days=365).window.start == datetime(2025, 3, 15, 12, tzinfo=UTC)
    with pytest.raises(Refusal, match="oldest data"):
        read(body(start="2025-03-15T11:00:00Z", end="2025-03-16"), max_age_days=365)


def test_ids_come_as_texts_or_numbers_and_repeats_are_read_once():
    asked = read(body(tweet_ids=["1890000000000000001", 1890000000000000001, 7], engagement_types=["replies"] * 2))
    assert asked.tweet_ids == (1890000000000000001, 7)
    assert asked.types == ("replies",)
