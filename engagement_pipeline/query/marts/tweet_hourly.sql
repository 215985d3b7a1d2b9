-- One row is a Tweet and a UTC hour with counts, from the hour of posting on.
-- It is engagements with a column for each type of /historical, and reads one Tweet's life faster. NULL is a count that
-- the API has not given, never zero. It is stored, a file a month that ended 28 days before the newest day.
-- The key is tweet_id, day and hour.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   day  The UTC day on which it happened.
--   hour  The UTC hour of the day in which it happened, 0 to 23.
--   hour_at  When that hour began.
--   handle  The account that owns the Tweet; NULL if the lake does not know it.
--   age_hours  The hours since the UTC hour in which it was posted, which is 0; NULL before Snowflake IDs.
--   impressions  How often the Tweet was seen, organic only.
--   engagements  All interactions, organic and promoted. Not the sum of the other types, by design.
--   favorites  Likes.
--   replies  Replies.
--   retweets  Reposts.
--   video_views  Views of a video in the Tweet.
--   media_views  Views of media of the Tweet.
--   media_engagements  Clicks on media of the Tweet.
--   url_clicks  Clicks on a link in the Tweet.
--   hashtag_clicks  Clicks on a hashtag of the Tweet.
--   detail_expands  Clicks to see the Tweet in full.
--   permalink_clicks  Clicks on the Tweet's own link.
--   user_profile_clicks  Clicks on the author's name or picture.
--   user_follows  Follows of the author from the Tweet.
--   email_tweet  How often the Tweet was sent by e-mail.
--   app_opens  How often an app was opened from the Tweet.
--   app_install_attempts  Clicks to install an app from the Tweet.
select
    tweet_id, day, hour, to_timestamp((day - date '1970-01-01') * 86400 + hour * 3600) as hour_at, handle,
    ((day - date '1970-01-01') * 24 + hour - posted)::bigint as age_hours,
    max("count") filter (engagement_type = 'impressions') as impressions,
    max("count") filter (engagement_type = 'engagements') as engagements,
    max("count") filter (engagement_type = 'favorites') as favorites,
    max("count") filter (engagement_type = 'replies') as replies,
    max("count") filter (engagement_type = 'retweets') as retweets,
    max("count") filter (engagement_type = 'video_views') as video_views,
    max("count") filter (engagement_type = 'media_views') as media_views,
    max("count") filter (engagement_type = 'media_engagements') as media_engagements,
    max("count") filter (engagement_type = 'url_clicks') as url_clicks,
    max("count") filter (engagement_type = 'hashtag_clicks') as hashtag_clicks,
    max("count") filter (engagement_type = 'detail_expands') as detail_expands,
    max("count") filter (engagement_type = 'permalink_clicks') as permalink_clicks,
    max("count") filter (engagement_type = 'user_profile_clicks') as user_profile_clicks,
    max("count") filter (engagement_type = 'user_follows') as user_follows,
    max("count") filter (engagement_type = 'email_tweet') as email_tweet,
    max("count") filter (engagement_type = 'app_opens') as app_opens,
    max("count") filter (engagement_type = 'app_install_attempts') as app_install_attempts
from engagements
left join (select tweet_id, handle, floor(epoch(posted_at) / 3600)::int as posted from tweets) using (tweet_id)
where (day - date '1970-01-01') * 24 + hour >= coalesce(posted, 0)
group by tweet_id, day, hour, handle, posted
