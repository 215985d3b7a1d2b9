"""The views under Fivetran's names."""

import traps


def test_a_tweet_s_day_is_that_of_tweet_daily_and_what_the_api_lacks_is_null(trapped):
    days = {(str(row["tweet_id"]), row["day"]): row for row in traps.rows(trapped, "from tweet_daily")}
    found = traps.rows(trapped, "from compat.twitter_organic__tweets")
    assert {(row["organic_tweet_id"], row["date_day"]) for row in found} == {*days}
    for row in found:
        day = days[row["organic_tweet_id"], row["date_day"]]
        told = (row["impressions"], row["likes"], row["url_clicks"], row["account_name"], row["created_timestamp"])
        assert told == (day["impressions"], day["favorites"], day["url_clicks"], day["handle"], day["posted_at"])
        assert (row["clicks"], row["video_views_100"], row["tweet_text"]) == (None, None, None)
        assert row["post_url"] == f"https://x.com/{day['handle']}/status/{day['tweet_id']}"


def test_a_post_is_a_tweet_s_lifetime_and_not_zero_where_there_is_no_count(trapped):
    lives = {str(row["tweet_id"]): row for row in traps.rows(trapped, "from tweet_lifetime")}
    found = {row["post_id"]: row for row in traps.rows(trapped, "from compat.social_media_reporting__rollup_report")}
    for tweet_id, life in lives.items():
        row = found[tweet_id]
        told = (row["impressions"], row["likes"], row["shares"], row["comments"], row["clicks"])
        assert told == (life["impressions"], life["favorites"], life["retweets"], life["replies"], None)
    assert found.keys() == lives.keys()
    assert found[str(traps.NEVER_ASKED)]["impressions"] is None
