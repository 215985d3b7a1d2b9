"""The metric dictionary against the contract's table, typed in by hand."""

from datetime import date

import pytest

from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL, MEDIA, RECENT, TOTALS
from engagement_pipeline.core.metrics import METRICS

SERVED_EVERYWHERE = {"impressions", "engagements", "favorites", "retweets", "replies", "video_views"}
SERVED_WITH_SERIES = {
    "media_views",
    "media_engagements",
    "url_clicks",
    "hashtag_clicks",
    "detail_expands",
    "permalink_clicks",
    "app_install_attempts",
    "app_opens",
    "email_tweet",
    "user_follows",
    "user_profile_clicks",
}


def test_historical_and_28hr_serve_the_same_17_types():
    assert set(HISTORICAL.types) == SERVED_EVERYWHERE | SERVED_WITH_SERIES
    assert RECENT.types == HISTORICAL.types
    assert len(HISTORICAL.types) == 17


def test_totals_serves_7_types():
    assert set(TOTALS.types) == SERVED_EVERYWHERE | {"quote_tweets"}
    assert len(TOTALS.types) == 7


def test_analytics_serves_20_types_four_of_them_alone():
    assert set(ANALYTICS.types) - set(HISTORICAL.types) == {
        "bookmarks",
        "quote_tweets",
        "shares",
        "unfollows",
        "unlikes",
    }
    assert set(HISTORICAL.types) - set(ANALYTICS.types) == {"media_engagements", "video_views"}
    assert len(ANALYTICS.types) == 20


def test_media_serves_10_types_nine_of_them_alone():
    assert set(MEDIA.types) & {*HISTORICAL.types, *ANALYTICS.types, *TOTALS.types} == {"video_views"}
    assert len(MEDIA.types) == 10


def test_a_bearer_token_reads_5_types_of_totals_and_nothing_elsewhere():
    assert TOTALS.public_types == ("favorites", "quote_tweets", "replies", "retweets", "video_views")
    assert RECENT.public_types == HISTORICAL.public_types == ()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_age_of_a_tweet_limits_three_types(metric):
    limits = {
        "impressions": {"totals": 90},
        "engagements": {"totals": 90},
        "video_views": {"totals": 1800, "28hr": 1800, "historical": 1800},
    }
    assert metric.oldest_tweet_days == limits.get(metric.name, {})
    assert set(metric.oldest_tweet_days) <= set(metric.endpoints)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_historical_measures_since_2014_but_reactions_a_year_less(metric):
    if metric.name in {"favorites", "retweets", "replies"}:
        assert metric.since == date(2015, 9, 15)
    else:
        assert metric.since == (date(2014, 9, 1) if HISTORICAL.name in metric.endpoints else None)


def test_types_come_in_alphabetical_order():
    assert list(HISTORICAL.types) == sorted(HISTORICAL.types)


def test_every_type_is_there_once_and_says_what_it_counts():
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names)) == 31
    assert all(metric.meaning for metric in METRICS)


def test_the_caveats_of_the_contract_are_told():
    caveats = {metric.name: metric.caveat for metric in METRICS}
    for name in ("impressions", "engagements"):
        assert "/totals: Tweets of the last 90 days only" in caveats[name]
    for name in ("favorites", "retweets", "replies"):
        assert "zero before 2015-09-15" in caveats[name]
    assert "not the sum" in caveats["engagements"]
    assert "1,800 days" in caveats["video_views"]
    assert "media_clicks" in caveats["media_engagements"]
