"""Media keys: the number in one, and those in any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.core.media_keys import LAST, is_photo, number_of, numbers_in


@pytest.mark.parametrize("text", ["", "7", "7_", "_7", "7_0", "7_x", "x_7", " 7_1", "7_1 ", "7_1_2", f"7_{LAST}"])
def test_what_is_no_key_has_no_number(text):
    assert number_of(text) is None


@given(st.dictionaries(st.integers(1, LAST - 1), st.sampled_from(["3", "7", "13", "16"]), max_size=4))
def test_the_keys_of_a_text_are_found_by_their_numbers(kinds):
    keys = {number: f"{kind}_{number}" for number, kind in kinds.items()}
    assert numbers_in(" ".join(keys.values())) == keys
    assert numbers_in(str([*keys.values()])) == keys


def test_only_the_kind_tells_a_photo():
    assert is_photo("3_7")
    assert not is_photo("13_3")
