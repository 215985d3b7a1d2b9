"""Numbers and lists, as a sentence has them."""

import pytest

from engagement_pipeline.core.words import counted, first_few


@pytest.mark.parametrize(("number", "words"), [(0, "0 days"), (1, "1 day"), (1200, "1,200 days")])
def test_a_noun_is_singular_for_one_alone(number, words):
    assert counted(number, "day") == words


@pytest.mark.parametrize(
    ("things", "words"), [([], ""), ([1, 2, 3], "1, 2, 3"), (range(1203), "0, 1, 2 and 1,200 more")]
)
def test_what_is_more_than_a_few_is_a_number(things, words):
    assert first_few(things) == words


def test_how_many_are_a_few_is_the_caller_s_to_say():
    assert first_few("abc", most=1) == "a and 2 more"
