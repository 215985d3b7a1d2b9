"""Handles, and the one form in which they are compared."""

import pytest

from engagement_pipeline.core.handles import normalised, parse_handle


def test_normalised_does_not_touch_an_at_sign_inside():
    assert [normalised(text) for text in ("@A", " a ", "A", "a@b")] == ["a", "a", "a", "a@b"]


def test_a_handle_is_parsed_or_refused_with_what_it_may_hold():
    assert parse_handle(" @Some_Handle ") == "some_handle"
    with pytest.raises(ValueError, match=r"'a b' is not a handle: letters, digits and _ only"):
        parse_handle("a b")
