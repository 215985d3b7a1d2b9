-- One row is a Tweet and a UTC day that was asked for, under the names of Fivetran's package for organic Tweets.
-- It is tweet_daily for queries that were written for that package. What the Engagement API does not have is NULL and
-- never zero. The key is organic_tweet_id and date_day.
--   created_timestamp  When the Tweet was posted.
--   organic_tweet_id  The Tweet, as text.
--   tweet_text  Its text: always NULL, since the API does not give it.
--   account_id  Always NULL: the API does not have it.
--   post_url  The address of the Tweet.
--   account_name  The handle of the account that owns the Tweet.
--   user_id  Always NULL: the API does not have it.
--   user_name  The handle as well.
--   date_day  The UTC day on which it happened.
--   source_relation  Always empty: there is one source.
--   app_clicks  Clicks to install an app from the Tweet: app_install_attempts.
--   card_engagements  Always NULL: the API does not have it.
--   carousel_swipes  Always NULL: the API does not have it.
--   clicks  Always NULL: the API does not have it.
--   engagements  All interactions, organic and promoted.
--   follows  Follows of the author from the Tweet: user_follows.
--   impressions  How often the Tweet was seen, organic only.
--   likes  Likes: favorites.
--   poll_card_vote  Always NULL: the API does not have it.
--   qualified_impressions  Always NULL: the API does not have it.
--   replies  Replies.
--   retweets  Reposts.
--   tweets_send  Always NULL: the API does not have it.
--   unfollows  Always NULL: the API does not have it.
--   url_clicks  Clicks on a link in the Tweet.
--   video_15_s_views  Always NULL: the API does not have it.
--   video_3_s_100_pct_views  Always NULL: the API does not have it.
--   video_6_s_views  Always NULL: the API does not have it.
--   video_content_starts  Always NULL: the API does not have it.
--   video_cta_clicks  Always NULL: the API does not have it.
--   video_total_views  Views of a video in the Tweet: video_views.
--   video_views_100  Always NULL: the API does not have it.
--   video_views_25  Always NULL: the API does not have it.
--   video_views_50  Always NULL: the API does not have it.
--   video_views_75  Always NULL: the API does not have it.
select
    posted_at as created_timestamp, tweet_id::varchar as organic_tweet_id, null::varchar as tweet_text,
    null::varchar as account_id, 'https://x.com/' || handle || '/status/' || tweet_id as post_url,
    handle as account_name, null::varchar as user_id, handle as user_name, day as date_day, '' as source_relation,
    app_install_attempts as app_clicks,
    null::bigint as card_engagements,
    null::bigint as carousel_swipes,
    null::bigint as clicks,
    engagements,
    user_follows as follows,
    impressions,
    favorites as likes,
    null::bigint as poll_card_vote,
    null::bigint as qualified_impressions,
    replies,
    retweets,
    null::bigint as tweets_send,
    null::bigint as unfollows,
    url_clicks,
    null::bigint as video_15_s_views,
    null::bigint as video_3_s_100_pct_views,
    null::bigint as video_6_s_views,
    null::bigint as video_content_starts,
    null::bigint as video_cta_clicks,
    video_views as video_total_views,
    null::bigint as video_views_100,
    null::bigint as video_views_25,
    null::bigint as video_views_50,
    null::bigint as video_views_75
from tweet_daily
