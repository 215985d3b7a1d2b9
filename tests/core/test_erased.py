"""Tweets are taken out of texts and JSON, and nothing else is."""

import pytest

from engagement_pipeline.core.erased import Erased

GONE, STAYS = 1_600_000_000_000_000_002, 1_600_000_000_000_000_003
ERASED = Erased(frozenset({GONE, 20}))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"Tweet {GONE} is gone", "Tweet [forgotten] is gone"),
        (f"https://x.com/ann/status/{GONE}?s=20", "https://x.com/ann/status/[forgotten]?s=20"),
        (f"{GONE},{STAYS}", f"[forgotten],{STAYS}"),
        (f"1{GONE} {GONE}0", f"1{GONE} {GONE}0"),
        ("20 of 20", "20 of 20"),
    ],
)
def test_a_text_is_masked_where_a_whole_number_is_the_id(text, masked):
    assert ERASED.masked(text) == masked
    assert ERASED.named_in(text.encode()) == (masked != text)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({str(GONE): 1, str(STAYS): 2, "20": 3}, {str(STAYS): 2, "20": 3}),
        ([GONE, str(GONE), STAYS, 20], [STAYS, 20]),
        ({"data": [{"id": str(GONE), "likes": 1}, {"id": "20"}, {"id": str(STAYS)}]}, {"data": [{"id": str(STAYS)}]}),
        ({"errors": [{"resource_id": str(GONE), "detail": "no"}]}, {"errors": []}),
        ({"reply_to": GONE, "likes": 20}, {"reply_to": None, "likes": 20}),
        ({"a": [True, 1.5, None, "x"]}, {"a": [True, 1.5, None, "x"]}),
    ],
)
def test_json_loses_what_is_theirs(value, left):
    assert ERASED.without(value) == left
