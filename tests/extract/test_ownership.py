"""Whose tokens an account has: what follows each outcome, and that it ends, for any Tweets and in any order."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import RefusedError
from engagement_pipeline.core.model import Request
from engagement_pipeline.extract import ownership
from engagement_pipeline.extract.ownership import Ask, LeaveOut, Suspects, WrongTokens


def refusal(*named, forbidden=False):
    return RefusedError(
        "no",
        account="ann",
        status=0,
        texts=["no"],
        about_tweets=True,
        forbidden=forbidden,
        tweet_ids=named,
        body=b"",
        asked_at=datetime(2026, 2, 1, tzinfo=UTC),
    )


PROTECTED = refusal()
FORBIDDEN = refusal(forbidden=True)
FORBIDDEN_2 = refusal(2, forbidden=True)  # names the Tweet 2
NONE, FIRST, ALL = slice(0), slice(1), slice(None)  # of the forbidden Tweets, those that a refusal names


def req(*tweet_ids, handle="ann"):
    return Request(endpoint=HISTORICAL, handle=handle, tweet_ids=tweet_ids, types=("impressions",), window=None)


def ask(*tweet_ids, depth=0):
    return Ask(req(*tweet_ids), depth)


def half(first, second, *, depth=1, of=FORBIDDEN):
    """Return the request for the first half of Tweets that were refused together."""
    return Ask(req(*first), depth, Suspects(req(*second), of))


def served(asked):
    return lambda standing: ownership.answered(standing, asked, served=True)


def gone(asked):
    """Return the event of an answer that holds Tweets which are gone, and no other."""
    return lambda standing: ownership.answered(standing, asked, served=False)


def refused(asked, error):
    return lambda standing: ownership.refused(standing, asked, error)


def played(events, *, handle="ann", before=()):
    """Return where an account stands after events, and what was decided after each."""
    standing, told = ownership.at_first(handle, before=before), []
    for event in events:
        standing, decisions = event(standing)
        told.append([*decisions])
    return standing, told


OF_THE_TWEETS = {
    "the Tweets that are named are set aside and the others asked for again": [
        (served(ask(9)), []),
        (refused(ask(1, 2, 3, depth=2), FORBIDDEN_2), [LeaveOut(req(2), FORBIDDEN_2), ask(1, 3, depth=2)]),
    ],
    "a request that is refused for all of its Tweets is not asked for again": [
        (served(ask(9)), []),
        (refused(ask(2), FORBIDDEN_2), [LeaveOut(req(2), FORBIDDEN_2)]),
    ],
    "where none is named the first half is asked for": [
        (refused(ask(1, 2, 3), PROTECTED), [half([1], [2, 3], of=PROTECTED)]),
    ],
    "where only Tweets of other requests are named the first half is asked for": [
        (refused(ask(3, 4), FORBIDDEN_2), [half([3], [4], of=FORBIDDEN_2)]),
    ],
    "where a half is answered the other is halved unasked": [
        (served(half([1], [2, 3], of=PROTECTED)), [half([2], [3], depth=2, of=PROTECTED)]),
    ],
    "where a half is answered a single Tweet is asked for alone": [
        (served(half([1], [2], of=PROTECTED)), [ask(2, depth=2)]),
        (refused(ask(2, depth=2), PROTECTED), [LeaveOut(req(2), PROTECTED)]),
    ],
    "where a half is refused the other is asked for whole": [
        (
            refused(half([1, 2], [3, 4], of=PROTECTED), PROTECTED),
            [half([1], [2], depth=2, of=PROTECTED), ask(3, 4, depth=1)],
        ),
    ],
}
IN_DOUBT = {
    "what is named is set aside once a Tweet was served": [
        (refused(ask(1, 2), FORBIDDEN_2), [ask(1)]),
        (served(ask(1)), [LeaveOut(req(2), FORBIDDEN_2)]),
    ],
    "what is gone lets nobody in": [
        (refused(ask(2), FORBIDDEN), []),
        (gone(ask(1)), []),
        (served(ask(3)), [LeaveOut(req(2), FORBIDDEN)]),
    ],
    "the second forbidden request is held until a Tweet was served": [
        (refused(ask(1, 2), FORBIDDEN), [half([1], [2])]),
        (refused(ask(3, 4), FORBIDDEN), []),
        (served(ask(5)), [half([3], [4])]),
    ],
    "of two halves the one that is forbidden first is followed": [
        (refused(ask(1, 2, 3, 4), FORBIDDEN), [half([1, 2], [3, 4])]),
        (refused(half([1, 2], [3, 4]), FORBIDDEN), [half([1], [2], depth=2), ask(3, 4, depth=1)]),
        (refused(ask(3, 4, depth=1), FORBIDDEN), []),
    ],
    "where a half is gone the other is followed": [
        (refused(ask(1, 2, 3, 4), FORBIDDEN), [half([1, 2], [3, 4])]),
        (gone(half([1, 2], [3, 4])), [half([3], [4], depth=2)]),
    ],
    "what is refused for another reason is set aside at once": [
        (refused(ask(1), PROTECTED), [LeaveOut(req(1), PROTECTED)]),
    ],
    "what is served once lets in for good": [
        (served(ask(1)), []),
        (gone(ask(2)), []),
        (refused(ask(3), FORBIDDEN), [LeaveOut(req(3), FORBIDDEN)]),
    ],
}


@pytest.mark.parametrize("sequence", [*OF_THE_TWEETS.values(), *IN_DOUBT.values()], ids=[*OF_THE_TWEETS, *IN_DOUBT])
def test_what_is_decided_after_each_outcome(sequence):
    _, told = played(event for event, _ in sequence)
    assert told == [decisions for _, decisions in sequence]


def test_what_is_forbidden_to_the_bearer_token_is_set_aside():
    """It is nobody's, so it cannot be that of another handle."""
    _, told = played([refused(Ask(req(2, handle="")), FORBIDDEN)], handle="")
    assert told == [[LeaveOut(req(2, handle=""), FORBIDDEN)]]


def test_an_account_that_was_served_a_tweet_before_is_let_in():
    _, told = played([refused(ask(2), FORBIDDEN)], before=[False, True])
    assert told == [[LeaveOut(req(2), FORBIDDEN)]]


@pytest.mark.parametrize(("landed", "unread"), [([False, True, False], 1), ([True, True], 1), ([False, False], 0)])
def test_what_landed_before_is_read_as_far_as_it_takes_and_once(landed, unread):
    before = iter(landed)
    played([refused(ask(1), FORBIDDEN), refused(ask(2, 3), FORBIDDEN), refused(ask(4), FORBIDDEN)], before=before)
    assert len([*before]) == unread


@pytest.mark.parametrize(
    "events", [[served(ask(1)), refused(ask(2), FORBIDDEN)], [gone(ask(1)), refused(ask(2), PROTECTED)]]
)
def test_what_landed_before_is_not_read_where_nothing_is_in_doubt(events):
    before = iter([True])
    played(events, before=before)
    assert [*before] == [True]


@pytest.mark.parametrize(
    ("events", "verdict"),
    [
        ([], None),
        ([gone(ask(1))], None),
        ([refused(ask(1), PROTECTED)], None),
        ([refused(ask(1), FORBIDDEN)], WrongTokens("ann", FORBIDDEN)),
        (
            [gone(ask(1)), refused(ask(2, 3), FORBIDDEN), refused(ask(4, 5), FORBIDDEN_2)],
            WrongTokens("ann", FORBIDDEN_2),
        ),
        ([refused(ask(1), FORBIDDEN), served(ask(2))], None),
        ([served(ask(2)), refused(ask(1), FORBIDDEN)], None),
        ([refused(ask(1), FORBIDDEN), ownership.unanswered], None),
        ([ownership.unanswered, refused(ask(1), FORBIDDEN)], None),
    ],
)
def test_the_verdict(events, verdict):
    standing, _ = played(events)
    assert ownership.verdict(standing) == verdict


@dataclass(frozen=True)
class World:
    """The states of the Tweets of each request, and which of them a refusal names.

    "own" and "gone" Tweets are answered for, "foreign" ones forbidden, "protected" ones refused and never named.
    """

    requests: list[list[str]]
    names: slice

    @cached_property
    def states(self):
        return dict(enumerate(state for request in self.requests for state in request))

    @property
    def plan(self):
        ids = iter(self.states)
        return [Ask(req(*(next(ids) for _ in request))) for request in self.requests]

    @property
    def halvings(self):
        """How often the longest request can be halved."""
        return ceil(log2(max(map(len, self.requests))))

    def of(self, *states):
        return {tweet for tweet, state in self.states.items() if state in states}

    def outcome(self, asked):
        """Return the event that the API's answer is."""
        tweets = asked.request.tweet_ids
        foreign = [tweet for tweet in tweets if self.states[tweet] == "foreign"]
        if foreign:
            return refused(asked, refusal(*foreign[self.names], forbidden=True))
        if self.of("protected") & {*tweets}:
            return refused(asked, PROTECTED)
        return served(asked) if self.of("own") & {*tweets} else gone(asked)


@dataclass(frozen=True)
class Pulled:
    """What a pull came to: Tweets answered for and set aside, the requests sent, and the verdict."""

    answered: list[int]
    aside: list[int]
    sent: int
    verdict: WrongTokens | None


def pulled(world, random):
    """Ask until nothing is left to ask; the outcomes come in any order."""
    standing, in_flight = ownership.at_first("ann"), world.plan
    answered, aside, sent = [], [], 0
    while in_flight:
        asked = in_flight.pop(random.randrange(len(in_flight)))
        sent += 1
        if not world.of("foreign", "protected") & {*asked.request.tweet_ids}:
            answered += asked.request.tweet_ids
        standing, decisions = world.outcome(asked)(standing)
        in_flight += [decision for decision in decisions if isinstance(decision, Ask)]
        aside += [tweet for one in decisions if isinstance(one, LeaveOut) for tweet in one.request.tweet_ids]
    return Pulled(answered, aside, sent, ownership.verdict(standing))


def worlds(*states, names=(NONE, FIRST, ALL)):
    requests = st.lists(st.lists(st.sampled_from(states), min_size=1, max_size=25), min_size=1, max_size=5)
    return st.builds(World, requests, st.sampled_from(names))


any_world = worlds("own", "own", "own", "foreign", "gone", "protected")


@given(any_world, st.randoms())
def test_every_tweet_is_settled_once_or_the_account_is_named(world, random):
    pull = pulled(world, random)
    settled = Counter(pull.answered + pull.aside)
    if pull.verdict:
        assert {*settled.values()} <= {1}
    else:
        assert settled == Counter([*world.states])


@given(any_world, st.randoms())
def test_tweets_are_set_aside_for_being_refused_and_for_nothing_else(world, random):
    assert {*pulled(world, random).aside} <= world.of("foreign", "protected")


@given(any_world, st.randoms())
def test_an_account_is_named_where_tweets_are_forbidden_and_none_is_served(world, random):
    pull = pulled(world, random)
    assert bool(pull.verdict) == bool(world.of("foreign") and not world.of("own") & {*pull.answered})


@given(worlds("foreign", "gone", "protected"), st.randoms())
def test_of_tokens_of_another_handle_nothing_forbidden_is_set_aside(world, random):
    assert not world.of("foreign") & {*pulled(world, random).aside}


@given(any_world, st.randoms())
def test_a_culprit_costs_at_most_two_requests_a_halving(world, random):
    culprits = len(world.of("foreign", "protected"))
    assert pulled(world, random).sent <= len(world.requests) + 2 * culprits * world.halvings


@given(worlds("foreign", "gone", names=[NONE]), st.randoms())
def test_tokens_of_another_handle_cost_two_requests_a_halving_in_all(world, random):
    """However many requests are forbidden, where none of them names a Tweet."""
    assert pulled(world, random).sent <= len(world.requests) + 2 * world.halvings
