"""What a pull has failed with: what every request meets is told once, and what is of one request each time."""

import pytest

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import AccountError, OutageError, OverBudgetError, UnavailableError
from engagement_pipeline.core.model import Plan, Request
from engagement_pipeline.extract import pull_failures


def shut_out(account):
    return AccountError("401", account=account, status=401)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (shut_out("ann"), shut_out("ann")),
        (OutageError("down", account="ann"), OutageError("down", account="bob")),
        (OverBudgetError("used up"), OverBudgetError("used up")),
    ],
    ids=["an account", "an outage", "the month"],
)
def test_what_every_request_meets_is_noted_once(first, second):
    assert pull_failures.noted([first], second) == [first]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (shut_out("ann"), shut_out("bob")),
        (UnavailableError("503", account="ann"), UnavailableError("503", account="ann")),
        (shut_out("ann"), OutageError("down", account="ann")),
    ],
    ids=["two accounts", "two requests", "an account and an outage"],
)
def test_what_is_another_s_is_noted_too(first, second):
    assert pull_failures.noted([first], second) == [first, second]


def test_a_tweet_without_an_outcome_is_a_failure_that_names_it():
    request = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(1, 2, 3, 4, 5), types=("impressions",), window=None)
    plan = Plan(endpoint=HISTORICAL, window=None, types=("impressions",), requests=(request,))
    (failure,) = pull_failures.missed(plan, {5})
    assert str(failure) == "4 Tweets got no answer: 1, 2, 3, …"
    assert pull_failures.missed(plan, {1, 2, 3, 4, 5}) == []
