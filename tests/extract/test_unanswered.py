"""Which Tweets of a plan land as asked for in vain, and with which reason."""

from dataclasses import replace

import pytest
from bodies import TYPES, WINDOW, at, begin

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import AccountError, RefusedError, UnavailableError
from engagement_pipeline.core.model import Request
from engagement_pipeline.extract import unanswered
from engagement_pipeline.lake.layout import Lake

REVOKED = AccountError("account ann: …", account="ann", status=401, texts=["Access token not found"])
NO_BEARER = AccountError("the host answered 503", account="", status=503, texts=["over capacity"])
DOWN = UnavailableError("x cannot be reached: check the network", account="bob")
BUSY = UnavailableError("x answered 503", account="bob", status=503, texts=["over capacity"])
WRONG = RefusedError("", account="bob", status=404, texts=["Not Found"], body=b"", asked_at=at(1))


@pytest.fixture
def pull(tmp_path):
    return begin(Lake(tmp_path / "lake"), at(1))


def request(handle, *tweets):
    return Request(endpoint=HISTORICAL, handle=handle, tweet_ids=tweets, types=TYPES, window=WINDOW)


def landed(pull, requests, *, settled=(), given_up=None, failures=()):
    """Return what lands: handle, Tweets, outcome and reason."""
    unanswered.land(pull, requests, settled={*settled}, given_up=given_up or {}, failures=failures, at=at(2))
    assert {word.asked_at for word in pull.unanswered()} <= {at(2)}
    return [(w.request.handle, w.request.tweet_ids, w.unanswered, w.refusal) for w in pull.unanswered()]


def test_the_tweets_of_a_refused_account_land_once_with_the_words_of_the_api(pull):
    found = landed(pull, [request("ann", 1, 2), request("ann", 3), request("bob", 4)], settled=[4], failures=[REVOKED])
    assert found == [("ann", (1, 2, 3), "account refused", "401: Access token not found")]


def test_what_has_an_answer_or_a_refusal_does_not_land(pull):
    assert landed(pull, [request("ann", 1, 2, 3)], settled=[1, 3], failures=[REVOKED])[0][1] == (2,)


@pytest.mark.parametrize(
    ("failure", "outcome", "said"),
    [
        (DOWN, "no answer", "x cannot be reached: check the network"),
        (BUSY, "no answer", "503: over capacity"),
        (WRONG, "request refused", "404: Not Found"),
    ],
)
def test_the_tweets_of_a_failed_request_have_its_reason_and_those_behind_it_that_of_the_last_failure(
    pull, failure, outcome, said
):
    found = landed(
        pull, [request("bob", 1, 2), request("bob", 3)], given_up=dict.fromkeys((1, 2), failure), failures=[failure]
    )
    assert found == [("bob", (1, 2, 3), outcome, said)]


def test_an_authorisation_host_that_is_down_refuses_nobody(pull):
    assert landed(pull, [request("", 1)], failures=[NO_BEARER]) == [("", (1,), "no answer", "503: over capacity")]


def test_a_pull_that_was_stopped_from_outside_says_so(pull):
    assert landed(pull, [request("ann", 1)]) == [("ann", (1,), "no answer", unanswered.STOPPED)]


def test_no_file_holds_more_tweets_than_its_first_line_can(pull, monkeypatch):
    monkeypatch.setattr(unanswered, "MOST_TWEETS", 2)
    found = landed(pull, [request("ann", 1, 2, 3), request("ann", 4, 5)], failures=[REVOKED])
    assert [tweets for _, tweets, _, _ in found] == [(1, 2), (3, 4), (5,)]


def test_ten_thousand_long_ids_are_read_back(pull):
    tweets = range(2**62, 2**62 + unanswered.MOST_TWEETS)
    found = landed(pull, [request("ann", *tweets)], failures=[REVOKED])
    assert [ids for _, ids, _, _ in found] == [tuple(tweets)]


def test_nothing_counts_as_an_answer(pull):
    """So that the next pull asks again."""
    landed(pull, [request("ann", 1)], failures=[REVOKED])
    assert [*pull.landed()] == [*pull.unsettled()] == pull.stamps() == []


def test_a_token_in_what_the_api_said_is_masked(pull):
    said = "bad Bearer AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0%2BuSeid"
    ((*_, text),) = landed(pull, [request("bob", 1)], failures=[replace_text(BUSY, said)])
    assert "AAAAAAAAAA" not in text


def replace_text(error, said):
    return UnavailableError(said, account=error.account, status=error.status, texts=[said])


def test_groups_of_several_endpoints_types_keep_their_request(pull):
    public = replace(request("", 7), types=TYPES[:1])
    landed(pull, [request("ann", 1), public], failures=[REVOKED])
    assert {(word.request.handle, word.request.types) for word in pull.unanswered()} == {
        ("ann", TYPES),
        ("", TYPES[:1]),
    }
