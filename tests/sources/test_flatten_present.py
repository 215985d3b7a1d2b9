"""Flatten, of the endpoints that know the present alone: /28hr with its partial hours, /totals with its lifetimes."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from bodies import parts, totals
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.model import Request
from engagement_pipeline.core.tables import ENGAGEMENTS, PARTIAL
from engagement_pipeline.sources.engagement.flatten import LIFETIME, read

ONE, TWO, OLD = 1890000000000000001, 1890000000000000002, 1390000000000000003
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CELLS, TWEET_SUMS, TYPE_SUMS = "by_tweet_type_day_hour", "by_tweet_type", "by_type"


def flat(content, endpoint, *, tweet_ids=(ONE, TWO, OLD)):
    request = Request(endpoint=endpoint, handle="ann", tweet_ids=tweet_ids, types=endpoint.types, window=None)
    return read(json.dumps(content).encode(), request)


def rows(result):
    return list(zip(*(column.to_pylist() for column in result.rows.columns), strict=True))


def cell(tweet, name, moment):
    return (tweet, name, moment.date(), moment.hour)


def hourly(hours, *, count=1, tweet=ONE, name="impressions"):
    """Return cells of one Tweet and type, at these numbers of hours after noon."""
    return {cell(tweet, name, NOON + timedelta(hours=hour)): count for hour in hours}


def partial(content):
    """Return the numbers of the hours after noon that are partial."""
    table = flat(content, RECENT).rows.to_pylist()
    at = (datetime(r["day"].year, r["day"].month, r["day"].day, r["hour"], tzinfo=UTC) for r in table if r["partial"])
    return [(moment - NOON) // timedelta(hours=1) for moment in at]


def echo(first, last):
    """Return the period that the API says it used, in hours after noon."""
    return {
        key: (NOON + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for key, hour in (("start", first), ("end", last))
    }


# /28hr


def test_a_period_that_was_snapped_outward_has_29_hours_of_which_the_outer_two_are_partial():
    assert partial(parts(hourly(range(29)), **echo(0, 29))) == [0, 28]


def test_a_period_on_the_hour_has_28_whole_hours():
    assert partial(parts(hourly(range(28)), **echo(0, 28))) == []


@pytest.mark.parametrize(("hours", "found"), [(29, [0, 28]), (28, []), (1, [])])
def test_a_period_that_is_not_echoed_is_that_of_the_rows(hours, found):
    assert partial(parts(hourly(range(hours)))) == found


def test_the_echoed_period_counts_where_rows_are_missing_at_its_ends():
    assert partial(parts(hourly(range(1, 28)), **echo(0, 29))) == []
    assert partial(parts(hourly([0, 5]), **echo(0, 29))) == [0]
    assert partial(parts(hourly([5, 28]), **echo(0, 29))) == [28]


def test_a_period_that_is_echoed_as_asked_for_reaches_out_to_whole_hours():
    assert partial(parts(hourly(range(29)), **echo(0.4, 28.4))) == [0, 28]


def test_the_outer_hours_are_partial_of_every_tweet_and_type():
    cells = hourly(range(29)) | hourly(range(29), tweet=TWO) | hourly(range(29), name="favorites")
    assert partial(parts(cells)) == [0, 28] * 3


def test_rows_of_28hr_have_their_schema_with_or_without_rows():
    for cells in (hourly(range(29)), {}):
        assert flat(parts(cells), RECENT).rows.schema.equals(ENGAGEMENTS.schema_with_day.append(PARTIAL.field))


def test_a_response_of_28hr_over_midnight_has_two_days():
    assert {row[2] for row in rows(flat(parts(hourly(range(29))), RECENT))} == {date(2026, 1, 31), date(2026, 2, 1)}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (parts(hourly([0, 29])), CELLS),  # 30 hours of rows
        (parts(hourly([0]), **echo(0, 30)), CELLS),
        (parts(hourly([0]), **echo(1, 29)), CELLS),  # before the start
        (parts(hourly([28]), **echo(0, 28)), CELLS),  # at the end, which is excluded
        (parts(hourly([0]), start="now"), "start"),
        (parts(hourly([0]), end=5), "end"),
        (parts({(ONE, "impressions", "20260131", 0): 1}), f"{CELLS}.{ONE}.impressions.20260131"),
        (parts({(ONE, "impressions", "2026-W05-6", 0): 1}), f"{CELLS}.{ONE}.impressions.2026-W05-6"),
        (parts({(ONE, "impressions", "2026-02-30", 0): 1}), f"{CELLS}.{ONE}.impressions.2026-02-30"),
        (parts({(5, "impressions", "2026-01-31", 0): 1}), f"{CELLS}.5"),
        (parts({(ONE, "quote_tweets", "2026-01-31", 0): 1}), f"{CELLS}.{ONE}.quote_tweets"),
        (parts(hourly([0]), by_tweet_type={}), f"{TWEET_SUMS}.{ONE}.impressions"),
        (parts(hourly([0]), by_type={}), f"{TYPE_SUMS}.impressions"),
    ],
)
def test_what_28hr_cannot_have_said_is_named_by_its_path(content, path):
    with pytest.raises(ResponseError) as caught:
        flat(content, RECENT)
    assert caught.value.path == f"$.{path}"


@settings(deadline=None)
@given(
    hours=st.sets(st.tuples(st.integers(0, 28), st.sampled_from([ONE, TWO]), st.sampled_from(RECENT.types))),
    length=st.sampled_from([28, 29]),
    echoed=st.booleans(),
    write=st.sampled_from([str, int]),
)
def test_flatten_gives_back_any_28_hours_and_marks_just_the_snapped_ends(hours, length, echoed, write):
    hours = {key for key in hours if key[0] < length}
    cells = {cell(tweet, name, NOON + timedelta(hours=hour)): hour * 7 - 3 for hour, tweet, name in hours}
    period = (0, length)
    if not echoed:
        numbers = [hour for hour, _, _ in hours] or [0]
        period = (min(numbers), max(numbers) + 1)
    ends = {cell(0, "", NOON + timedelta(hours=hour))[2:] for hour in (period[0], period[1] - 1)}
    snapped = period[1] - period[0] == 29
    result = flat(parts(cells, write=write, **(echo(*period) if echoed else {})), RECENT)
    assert rows(result) == sorted((*key, count, snapped and key[2:] in ends) for key, count in cells.items())


# /totals


def test_lifetimes_are_the_api_s_own_sums_in_the_order_of_tweet_and_type():
    counts = {(TWO, "retweets"): 5, (TWO, "favorites"): 0, (ONE, "quote_tweets"): 2}
    result = flat(totals(counts), TOTALS)
    assert rows(result) == [(ONE, "quote_tweets", 2), (TWO, "favorites", 0), (TWO, "retweets", 5)]
    assert result.rows.schema.equals(LIFETIME)


def test_totals_of_no_tweet_are_an_empty_table():
    result = flat(totals({}) | {"unavailable_tweet_ids": [str(ONE)]}, TOTALS)
    assert (result.rows.num_rows, result.unavailable) == (0, {ONE})
    assert result.rows.schema.equals(LIFETIME)


@pytest.mark.parametrize("key", [TWEET_SUMS, TYPE_SUMS])
def test_totals_without_one_of_their_groupings_are_refused(key):
    content = {name: value for name, value in totals({(ONE, "favorites"): 1}).items() if name != key}
    with pytest.raises(ResponseError, match="is missing, though it was asked for") as caught:
        flat(content, TOTALS)
    assert caught.value.path == f"$.{key}"


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({TYPE_SUMS: {"favorites": "8"}}, f"{TYPE_SUMS}.favorites"),
        ({TYPE_SUMS: {}}, f"{TYPE_SUMS}.favorites"),
        ({TYPE_SUMS: {"favorites": "7", "replies": "1"}}, f"{TYPE_SUMS}.replies"),
        ({TYPE_SUMS: {"favorites": "x"}}, f"{TYPE_SUMS}.favorites"),
        ({TWEET_SUMS: {str(ONE): {"favorites": "7.0"}}}, f"{TWEET_SUMS}.{ONE}.favorites"),
        ({TWEET_SUMS: {str(ONE): {"url_clicks": "7"}}}, f"{TWEET_SUMS}.{ONE}.url_clicks"),
        ({TWEET_SUMS: {"5": {"favorites": "7"}}}, f"{TWEET_SUMS}.5"),
        ({TWEET_SUMS: {str(ONE): ["favorites"]}}, f"{TWEET_SUMS}.{ONE}"),
        ({"unavailable_tweet_ids": [str(ONE)]}, "unavailable_tweet_ids"),
    ],
)
def test_totals_that_do_not_add_up_or_were_not_asked_for_are_named_by_their_path(changed, path):
    with pytest.raises(ResponseError) as caught:
        flat(totals({(ONE, "favorites"): 7}) | changed, TOTALS)
    assert caught.value.path == f"$.{path}"


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from([ONE, TWO, OLD]), st.sampled_from(TOTALS.types)), st.integers(-(2**63), 2**63 - 1)
    )
)
def test_flatten_gives_back_any_lifetimes(counts):
    by_type = {name: sum(n for (_, t), n in counts.items() if t == name) for _, name in counts}
    content = totals(counts)
    if all(-(2**63) <= total < 2**63 for total in by_type.values()):
        assert rows(flat(content, TOTALS)) == sorted((*key, count) for key, count in counts.items())
    else:
        with pytest.raises(ResponseError, match=r"^\$\.by_type\."):
            flat(content, TOTALS)


# Tweets too old for a type.


@pytest.mark.parametrize("count", [0, 6, -1])
@pytest.mark.parametrize(
    ("key", "unsupported"),
    [
        ("unsupported_for_video_views_tweet_ids", {"video_views"}),
        ("unsupported_for_impressions_engagements_tweet_ids", {"impressions", "engagements"}),
    ],
)
def test_of_what_is_unsupported_zeros_are_dropped_and_nothing_else(key, unsupported, count):
    """Whoever is not in the list keeps zeros that were measured."""
    names = ("engagements", "favorites", "impressions", "video_views")
    every = {(tweet, name): 0 for tweet in (OLD, ONE) for name in names}
    counts = every | {(OLD, name): count for name in unsupported}
    result = flat(totals(counts) | {key: [str(OLD)]}, TOTALS)
    kept = {(tweet, name): n for (tweet, name), n in counts.items() if n or tweet == ONE or name not in unsupported}
    assert {row[:2]: row[2] for row in rows(result)} == kept


def test_an_unsupported_video_of_28hr_loses_its_zeros_and_keeps_its_partial_hours():
    cells = hourly(range(29), count=0, tweet=OLD, name="video_views") | hourly(range(29), tweet=OLD)
    result = flat(parts(cells, unsupported_for_video_views_tweet_ids=[str(OLD)]), RECENT)
    assert {row[1] for row in rows(result)} == {"impressions"}
    assert [row[-1] for row in rows(result)].count(True) == 2


def test_a_tweet_may_be_old_and_unavailable_in_both_lists_at_once():
    lists = {
        "unsupported_for_video_views_tweet_ids": [str(OLD)],
        "unsupported_for_impressions_engagements_tweet_ids": [OLD],
        "unavailable_tweet_ids": [str(TWO)],
    }
    counts = {(OLD, "favorites"): 0, (OLD, "impressions"): 0, (OLD, "video_views"): 0}
    result = flat(totals(counts) | lists, TOTALS)
    assert (rows(result), result.unavailable) == ([(OLD, "favorites", 0)], {TWO})
