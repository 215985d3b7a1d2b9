"""The client reads no more of an answer than its source says that it can have."""

from dataclasses import replace

import pytest
from scripted_api import REQUEST, Answer, asking, raised

from engagement_pipeline.core.bounds import LARGEST_REFUSAL
from engagement_pipeline.core.errors import UnavailableError
from engagement_pipeline.sources import engagement


@pytest.mark.parametrize("tweets", [1, 25])
def test_an_answer_as_large_as_the_source_allows_is_read(tweets):
    request = replace(REQUEST, tweet_ids=tuple(range(1, tweets + 1)))
    largest = b"{}".ljust(engagement.largest_answer(request))
    with asking(Answer(body=largest)) as (_, client, _):
        assert client.ask(request).body == largest


@pytest.mark.parametrize("tweets", [1, 25])
def test_an_answer_larger_than_the_source_allows_is_given_up(tweets):
    request = replace(REQUEST, tweet_ids=tuple(range(1, tweets + 1)))
    most = engagement.largest_answer(request)
    caught, asked = raised(Answer(body=b"{}".ljust(most + 1)), request=request)
    assert isinstance(caught, UnavailableError)
    assert f"answered with more than {most:,} bytes, and no answer of the API is that large" in str(caught)
    assert asked == 2  # a probe after it


def test_a_refusal_larger_than_any_is_given_up():
    caught, _ = raised(Answer(status=403, body=b" " * (LARGEST_REFUSAL + 1)))
    assert isinstance(caught, UnavailableError)
    assert f"answered with more than {LARGEST_REFUSAL:,} bytes" in str(caught)
