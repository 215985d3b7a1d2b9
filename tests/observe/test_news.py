"""What the APIs send that is new, in the words of a check and of an alert."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.shape import KEY, News
from engagement_pipeline.lake import shapes
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import news

NOW = datetime(2026, 1, 31, 5, tzinfo=UTC)
ASKED = Request(
    endpoint=HISTORICAL, handle="ann", tweet_ids=(1,), types=(), window=Window(date(2026, 1, 1), date(2026, 1, 1))
)


@pytest.fixture
def home(tmp_path):
    """A lake with the lakes of both sources, each with a piece of news."""
    home = Lake(tmp_path / "lake")
    for endpoint in (HISTORICAL, ANALYTICS):
        lake = home.of(endpoint.source)
        lake.open()
        learned = [News(KEY, "$", "bookmarks", "5")]
        shapes.learn(lake.storage, learned, replace(ASKED, endpoint=endpoint), asked_at=NOW, kept=True)
    return home


def test_the_news_of_all_sources_is_told_once(home):
    untold = news.untold(home)
    assert [seen.endpoint for seen in untold] == ["historical", "analytics"]
    news.told(home, untold, at=NOW)
    assert news.untold(home) == []


def test_what_was_not_told_in_the_end_is_told_the_next_time(home):
    assert news.untold(home) == news.untold(home)


def test_the_message_says_what_is_new_and_where_to_look(home):
    assert news.message(news.untold(home), dagster_url="https://dagster.example.com").splitlines() == [
        "engagement-pipeline: an API sends what its documents do not have",
        "/historical now sends key `bookmarks` in $; it is kept in raw and not stored",
        "/analytics now sends key `bookmarks` in $; it is kept in raw and not stored",
        "next: look at the view shapes; Dagster: https://dagster.example.com",
    ]


def test_of_much_news_the_first_are_told_and_how_many_more(home):
    (seen, _) = news.untold(home)
    assert news.words([seen] * 25) == [seen.meaning] * 20 + ["and 5 more: see the view shapes"]
