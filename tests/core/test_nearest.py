"""The nearest known word."""

import pytest

from engagement_pipeline.core.nearest import nearest


@pytest.mark.parametrize(("word", "known"), [("plam", "plan"), ("pul", "pull"), ("xyz", ""), ("", "")])
def test_a_word_that_is_near_is_found(word, known):
    assert nearest(word, iter(("plan", "pull"))) == known
