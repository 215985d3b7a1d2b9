"""What a URL says: a view, or one line about what is wrong with it."""

from datetime import date
from urllib.parse import parse_qs

import pytest

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.explore.choices import Choices
from engagement_pipeline.explore.view import View, view

KNOWN = Choices(handles=("ann", "bob"), first=date(2025, 12, 1), last=date(2026, 1, 29))
ID = 2**62


def test_without_a_query_the_last_four_weeks_of_all_handles_are_shown():
    assert view({}, KNOWN) == View(
        handles=(), tweets=(), metrics=("impressions",), first=date(2026, 1, 2), last=date(2026, 1, 29), zone="UTC"
    )


@pytest.mark.parametrize("tweets", [(), (ID, 7)])
def test_the_query_of_a_view_leads_to_the_same_view(tweets):
    made = View(
        handles=("ann", "bob"),
        tweets=tweets,
        metrics=("engagements", "impressions"),
        first=date(2025, 12, 31),
        last=date(2026, 1, 2),
        zone="America/Argentina/Buenos_Aires",
    )
    assert view(parse_qs(made.query()), KNOWN) == made
    assert view(parse_qs(made.query(tweets=[5])), KNOWN).tweets == (5,)
    assert [str(day) for day in made.days] == ["2025-12-31", "2026-01-01", "2026-01-02"]


def test_handles_are_compared_as_elsewhere():
    assert view({"handle": ["@Bob", "ANN", "bob"]}, KNOWN).handles == ("ann", "bob")


def test_tweets_are_given_by_their_ids_or_links():
    text = f" {ID},https://x.com/ann/status/17?s=20\nhttps://twitter.com/ann/status/18/photo/1 17"
    assert view({"tweets": [text]}, KNOWN).tweets == (ID, 17, 18)


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({"handle": ["bobb"]}, "the lake has no Tweet of 'bobb': did you mean bob?"),
        ({"handle": ["<b>"]}, "the lake has no Tweet of '<b>': choose one that is offered"),
        ({"metric": ["impresions"]}, "there is no metric 'impresions': did you mean impressions?"),
        (
            {"metric": ["impressions", "engagements", "replies", "retweets", "favorites"]},
            "5 metrics are too many for one page: choose 4 at most",
        ),
        ({"zone": ["Europe/Berln"]}, "there is no time zone 'Europe/Berln': did you mean Europe/Berlin?"),
        ({"first": ["tomorrow"]}, "the first day cannot be read: 'tomorrow' is not a day such as 2026-01-31"),
        ({"last": ["2026-02-30"]}, "the last day cannot be read: '2026-02-30' is not a day such as 2026-01-31"),
        ({"first": ["2014-08-31"]}, "the API has no counts before 2014-09-01: choose a later first day"),
        (
            {"first": ["2026-01-05"], "last": ["2026-01-04"]},
            "the first day, 2026-01-05, is after the last, 2026-01-04: choose an earlier first day",
        ),
        ({"first": ["2020-01-01"]}, "2020-01-01 to 2026-01-29 are more than 400 days: choose fewer"),
        ({"tweets": ["17 abc"]}, "'abc' is not the ID or the link of a Tweet"),
        ({"tweets": [str(2**63)]}, "'9223372036854775808' is not the ID or the link of a Tweet"),
        ({"tweets": ["1 2 3 4 5 6 7"]}, "7 Tweets are too many to compare: choose 6 at most"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(query, line):
    with pytest.raises(InputError) as raised:
        view(query, KNOWN)
    assert str(raised.value) == line


def test_the_last_day_that_can_be_written_is_no_mistake_of_ours():
    query = {"first": ["9999-12-01"], "last": ["9999-12-31"]}
    assert len(view(query, KNOWN).days) == 31
