"""What keeps Tweets away that were forgotten: it holds no ID once they are gone."""

from datetime import UTC, datetime

import pytest

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake

GONE, STAYS = 1_600_000_000_000_000_002, 1_600_000_000_000_000_003
NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


def test_a_lake_without_the_file_has_forgotten_nothing(lake):
    assert forgotten.load(lake).among([GONE]) == set()


def test_a_tweet_is_kept_away_from_the_moment_at_which_it_is_going(lake):
    forgotten.save(lake, forgotten.load(lake).begun([GONE]))
    assert forgotten.load(lake).among([GONE, STAYS]) == {GONE}


def test_once_it_is_gone_its_hash_alone_stays(lake):
    forgotten.save(lake, forgotten.load(lake).begun([GONE]).finished(NOW))
    known = forgotten.load(lake)
    assert known.among([GONE, STAYS]) == {GONE}
    assert known.tweets == {known.hash_of(GONE): NOW.isoformat()}
    assert str(GONE) not in lake.forgotten.read_text()


def test_two_lakes_have_different_hashes_of_a_tweet(lake):
    assert forgotten.load(lake).hash_of(GONE) != forgotten.load(lake).hash_of(GONE)
    forgotten.save(lake, forgotten.load(lake))
    assert forgotten.load(lake).hash_of(GONE) == forgotten.load(lake).hash_of(GONE)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"key": 1, "tweets": {}, "going": []}'])
def test_a_damaged_file_stops_whoever_would_bring_a_tweet_back(lake, content):
    lake.forgotten.write_text(content)
    with pytest.raises(LakeError, match="is damaged, so nobody knows which Tweets must not come back: put it back"):
        forgotten.load(lake)
