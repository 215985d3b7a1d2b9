"""A clock that is wrong by more than the APIs take is named, with how far and in which direction."""

from datetime import UTC, datetime, timedelta

import pytest

from engagement_pipeline.core.model import Answer
from engagement_pipeline.sources import skew

THEIRS = datetime(2026, 1, 4, 12, tzinfo=UTC)


def answered(**headers):
    return Answer(url="https://api", status=401, headers=headers, body=b"", size=0)


@pytest.mark.parametrize(("ahead", "words"), [(301, "5 minutes ahead of the API's"), (-5400, "90 minutes behind the")])
def test_a_clock_that_is_further_from_the_api_s_than_it_takes_is_to_be_set(ahead, words):
    answer = answered(Date="Sun, 04 Jan 2026 12:00:00 GMT")
    assert words in skew.remedy(answer, THEIRS + timedelta(seconds=ahead))


@pytest.mark.parametrize("ahead", [300, 0, -300])
def test_a_clock_that_the_api_takes_needs_no_remedy(ahead):
    answer = answered(Date="Sun, 04 Jan 2026 12:00:00 GMT")
    assert skew.remedy(answer, THEIRS + timedelta(seconds=ahead)) == ""


def test_an_answer_without_a_date_tells_nothing_of_the_clock():
    assert skew.remedy(answered(), THEIRS + timedelta(days=9)) == ""
