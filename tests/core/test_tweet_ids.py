"""A text is a Tweet's ID if 64 bits hold its digits."""

import pytest

from engagement_pipeline.core.tweet_ids import LARGEST, parse_tweet_id


@pytest.mark.parametrize("number", [1, 1890000000000000001, LARGEST])
def test_digits_are_read_exactly(number):
    assert parse_tweet_id(str(number)) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "1e18", " 1", "x", "٣", str(LARGEST + 1), "9" * 5000])
def test_any_other_text_is_refused_in_a_short_line(text):
    with pytest.raises(ValueError, match="is no Tweet's ID") as refused:
        parse_tweet_id(text)
    assert len(str(refused.value)) < 60
