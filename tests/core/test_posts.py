"""A Post as text: one column for each thing that is known."""

import re
from datetime import datetime, timedelta, timezone

import pytest

from engagement_pipeline.core.posts import COLUMNS, Post


def test_what_is_not_known_is_empty():
    assert Post(tweet_id=1).columns() == dict.fromkeys(COLUMNS, "")


def test_times_are_utc():
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert Post(tweet_id=1, created_at=moment).columns()["created_at"] == "2025-12-31T23:00:00Z"


@pytest.mark.parametrize("number", [0, -1, 2**63])
def test_what_is_no_id_is_refused(number):
    with pytest.raises(ValueError, match="is not the ID of a Tweet"):
        Post(tweet_id=number)


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_what_is_no_moment_in_utc_is_refused(text):
    with pytest.raises(ValueError, match=f"{re.escape(text)} is not a moment"):
        Post(tweet_id=1, created_at=datetime.fromisoformat(text))


@pytest.mark.parametrize("several", ["media_kinds", "media_keys", "links"])
def test_what_is_no_text_is_refused(several):
    with pytest.raises(ValueError, match="None is not text"):
        Post(tweet_id=1, **{several: ("3_1", None)})
