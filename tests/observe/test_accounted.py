"""Which Tweets of the roster a day accounts for, and why it does not for others."""

from datetime import timedelta

import pytest
from bodies import WINDOW, at
from checked import healthy, refused, roster

from engagement_pipeline.core.settings import Settings
from engagement_pipeline.observe import accounted
from engagement_pipeline.query import by_day

_, DAY = WINDOW.days()


@pytest.fixture
def lake(tmp_path):
    return healthy(tmp_path)


def lacking(lake, day=DAY, **settings):
    """Return why each Tweet that a day does not account for has no answer."""
    with by_day.by_day(lake) as ask:
        found = accounted.unaccounted(day, ask, Settings(**settings))
        return {row["tweet_id"]: accounted.why(row) for row in found}


def test_a_tweet_that_is_stored_is_accounted_for_and_one_that_nobody_asked_for_is_not(lake):
    roster(lake, {1: "ann", 4: "bob"})
    assert lacking(lake) == {4: ""}


def test_a_tweet_that_was_asked_for_in_vain_is_not_accounted_for_and_the_answer_says_why(lake):
    roster(lake, {1: "ann", 4: "bob"})
    refused(lake, [4], at(2))
    assert lacking(lake) == {4: "account refused: 401: Access token not found"}


def test_a_tweet_of_an_account_that_another_source_is_asked_for_is_that_one_s_to_account_for(lake):
    roster(lake, {1: "ann", 4: "bob"})
    assert lacking(lake, source_of=(("bob", "x_api_v2"),)) == {}


def test_a_day_that_was_asked_for_in_vain_alone_has_no_answer(lake):
    later = DAY + timedelta(days=1)
    refused(lake, [1, 2, 3], at(2), days=type(WINDOW)(later, later))
    with by_day.by_day(lake) as ask:
        assert [accounted.answered(day, ask) for day in (DAY, later)] == [True, False]
