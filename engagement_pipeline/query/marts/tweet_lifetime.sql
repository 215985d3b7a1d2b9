-- One row is a Tweet that is or was in the roster.
-- Its sums are over the days that the lake has counts of, so they are those of its whole life only where whole says so.
-- Beside them is the newest answer of /totals, which has a time of its own and may be older or newer than the sums. The
-- gap compares both at the same moment. Never add the two. The key is tweet_id.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   handle  The account that owns the Tweet; NULL for a Tweet of others.
--   posted_at  When it was posted; NULL before Snowflake IDs.
--   first_day  The first UTC day with counts from /historical; NULL if there is none.
--   last_day  The last UTC day with counts from /historical.
--   days  How many days have counts.
--   days_complete  How many days are complete, as tweet_daily says.
--   whole  Whether each day is complete from that of posting to last_day; NULL if posted_at is.
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
--   public_engagements  favorites, replies and retweets together, which anybody can see.
--   totals_at  When the newest answer of /totals was asked for; NULL if there is none.
--   total_impressions  What that answer says of impressions; NULL if it does not.
--   gap_impressions  total_impressions less the sum of the UTC days before totals_at; NULL unless all are complete.
--   total_engagements  What that answer says of engagements; NULL if it does not.
--   gap_engagements  total_engagements less the sum of the UTC days before totals_at; NULL unless all are complete.
--   total_favorites  What that answer says of favorites; NULL if it does not.
--   gap_favorites  total_favorites less the sum of the UTC days before totals_at; NULL unless all are complete.
--   total_replies  What that answer says of replies; NULL if it does not.
--   gap_replies  total_replies less the sum of the UTC days before totals_at; NULL unless all are complete.
--   total_retweets  What that answer says of retweets; NULL if it does not.
--   gap_retweets  total_retweets less the sum of the UTC days before totals_at; NULL unless all are complete.
--   total_video_views  What that answer says of video_views; NULL if it does not.
--   gap_video_views  total_video_views less the sum of the UTC days before totals_at; NULL unless all are complete.
--   total_quote_tweets  Quotes of the Tweet, which /historical does not have.
--   gap_hours  How many hours of the day of totals_at the totals, and so the gaps, hold as well.
with newest as (
    select
        tweet_id, max(observed_at) as totals_at,
        (max(observed_at) at time zone 'UTC')::date as totals_on
    from totals
    group by tweet_id
),
lifetimes as (
    select
        tweet_id,
        max("count") filter (engagement_type = 'impressions') as total_impressions,
        max("count") filter (engagement_type = 'engagements') as total_engagements,
        max("count") filter (engagement_type = 'favorites') as total_favorites,
        max("count") filter (engagement_type = 'replies') as total_replies,
        max("count") filter (engagement_type = 'retweets') as total_retweets,
        max("count") filter (engagement_type = 'video_views') as total_video_views,
        max("count") filter (engagement_type = 'quote_tweets') as total_quote_tweets
    from totals
    join newest using (tweet_id)
    where observed_at = totals_at
    group by tweet_id
),
history as (
    select
        tweet_id, handle, posted_at, totals_at, totals_on,
        min(day) filter (types > 0) as first_day, max(day) filter (types > 0) as last_day,
        count(*) filter (types > 0) as days, count(*) filter (complete) as days_complete,
        count(*) filter (complete and day < totals_on) as days_before,
        sum(impressions)::bigint as impressions,
        sum(engagements)::bigint as engagements,
        sum(favorites)::bigint as favorites,
        sum(replies)::bigint as replies,
        sum(retweets)::bigint as retweets,
        sum(video_views)::bigint as video_views,
        sum(media_views)::bigint as media_views,
        sum(media_engagements)::bigint as media_engagements,
        sum(url_clicks)::bigint as url_clicks,
        sum(hashtag_clicks)::bigint as hashtag_clicks,
        sum(detail_expands)::bigint as detail_expands,
        sum(permalink_clicks)::bigint as permalink_clicks,
        sum(user_profile_clicks)::bigint as user_profile_clicks,
        sum(user_follows)::bigint as user_follows,
        sum(email_tweet)::bigint as email_tweet,
        sum(app_opens)::bigint as app_opens,
        sum(app_install_attempts)::bigint as app_install_attempts,
        sum(public_engagements)::bigint as public_engagements,
        sum(impressions) filter (day < totals_on)::bigint as impressions_before,
        sum(engagements) filter (day < totals_on)::bigint as engagements_before,
        sum(favorites) filter (day < totals_on)::bigint as favorites_before,
        sum(replies) filter (day < totals_on)::bigint as replies_before,
        sum(retweets) filter (day < totals_on)::bigint as retweets_before,
        sum(video_views) filter (day < totals_on)::bigint as video_views_before
    from (
        select * from tweet_daily
        union all by name
        select tweet_id, handle, posted_at from tweets
    )
    left join newest using (tweet_id)
    group by tweet_id, handle, posted_at, totals_at, totals_on
),
known as (
    select *, days_before = totals_on - (posted_at at time zone 'UTC')::date as whole_before
    from history
    left join lifetimes using (tweet_id)
)
select
    tweet_id, handle, posted_at, first_day, last_day, days, days_complete,
    days_complete = last_day - (posted_at at time zone 'UTC')::date + 1 as whole,
    impressions, engagements, favorites, replies, retweets, video_views, media_views, media_engagements, url_clicks,
    hashtag_clicks, detail_expands, permalink_clicks, user_profile_clicks, user_follows, email_tweet, app_opens,
    app_install_attempts, public_engagements,
    totals_at,
    total_impressions, case when whole_before then total_impressions - impressions_before end as gap_impressions,
    total_engagements, case when whole_before then total_engagements - engagements_before end as gap_engagements,
    total_favorites, case when whole_before then total_favorites - favorites_before end as gap_favorites,
    total_replies, case when whole_before then total_replies - replies_before end as gap_replies,
    total_retweets, case when whole_before then total_retweets - retweets_before end as gap_retweets,
    total_video_views, case when whole_before then total_video_views - video_views_before end as gap_video_views,
    total_quote_tweets,
    date_diff('minute', totals_on::timestamp, totals_at at time zone 'UTC') / 60.0::double as gap_hours
from known
