-- One row is a handle and a UTC day of activity, from the first day that was asked for to the last.
-- It sums the day's counts of all its Tweets, whenever they were posted. NULL means that no Tweet has a count. Where
-- complete is false, a sum lacks some Tweets, and a low one is no fall. Rates are sums divided by sums.
-- The key is handle and day.
--   handle  The account that owns the Tweets.
--   day  The UTC day of activity.
--   complete  Whether all Tweets that the API serves are whole, as completeness says, which has the reason.
--   tweets  How many Tweets it had by the end of the day, of those that are followed or were asked for.
--   measured  How many of them have counts of the day.
--   active  How many of them were seen or engaged with on the day.
--   posted  How many Tweets it posted on the day.
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
--   engagement_rate  engagements divided by impressions, of the Tweets that have both; NULL without impressions.
--   public_engagement_rate  public_engagements divided by impressions, likewise.
--   url_click_rate  url_clicks divided by impressions, likewise.
--   video_view_rate  video_views divided by impressions, likewise.
--   media_engagement_rate  media_engagements divided by media_views, likewise.
--   impressions_7_days  The sum of the 7 days that end with this one; NULL unless all are complete.
--   impressions_28_days  The sum of the 28 days that end with this one; NULL unless all are complete.
--   impressions_change  By what share impressions_28_days differs from that of the 28 days before; 0.1 is a tenth more.
--                       NULL unless all 56 days are complete.
--   engagements_7_days  The sum of the 7 days that end with this one; NULL unless all are complete.
--   engagements_28_days  The sum of the 28 days that end with this one; NULL unless all are complete.
--   engagements_change  By what share engagements_28_days differs from that of the 28 days before, likewise.
with summed as (
    select
        handle, day,
        count(*) filter (types > 0) as measured,
        count(*) filter (impressions > 0 or engagements > 0) as active,
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
        sum(engagements) filter (impressions is not null) as engagements_seen,
        sum(impressions) filter (engagements is not null) as seen_engagements,
        sum(public_engagements) filter (impressions is not null) as public_seen,
        sum(impressions) filter (public_engagements is not null) as seen_public,
        sum(url_clicks) filter (impressions is not null) as clicks_seen,
        sum(impressions) filter (url_clicks is not null) as seen_clicks,
        sum(video_views) filter (impressions is not null) as videos_seen,
        sum(impressions) filter (video_views is not null) as seen_videos,
        sum(media_engagements) filter (media_views is not null) as media_seen,
        sum(media_views) filter (media_engagements is not null) as seen_media
    from tweet_daily
    group by handle, day
),
trusted as (
    select handle, day, trusted as complete, expected as tweets
    from completeness
),
born as (
    select handle, (posted_at at time zone 'UTC')::date as day, count(*) as posted
    from tweets
    group by all
),
ranged as (
    select
        *,
        count(*) filter (complete) over week = 7 as whole_week,
        count(*) filter (complete) over month = 28 as whole_month,
        count(*) filter (complete) over month_before = 28 as whole_month_before,
        sum(impressions) over week as impressions_week,
        sum(impressions) over month as impressions_month,
        sum(impressions) over month_before as impressions_before,
        sum(engagements) over week as engagements_week,
        sum(engagements) over month as engagements_month,
        sum(engagements) over month_before as engagements_before
    from trusted
    left join summed using (handle, day)
    left join born using (handle, day)
    window
        week as (partition by handle order by day range between interval 6 days preceding and current row),
        month as (partition by handle order by day range between interval 27 days preceding and current row),
        month_before as (
            partition by handle order by day range between interval 55 days preceding and interval 28 days preceding
        )
)
select
    handle, day, complete, tweets,
    coalesce(measured, 0) as measured, coalesce(active, 0) as active, coalesce(posted, 0) as posted,
    impressions, engagements, favorites, replies, retweets, video_views, media_views, media_engagements, url_clicks,
    hashtag_clicks, detail_expands, permalink_clicks, user_profile_clicks, user_follows, email_tweet, app_opens,
    app_install_attempts, public_engagements,
    case when seen_engagements > 0 then engagements_seen / seen_engagements::double end as engagement_rate,
    case when seen_public > 0 then public_seen / seen_public::double end as public_engagement_rate,
    case when seen_clicks > 0 then clicks_seen / seen_clicks::double end as url_click_rate,
    case when seen_videos > 0 then videos_seen / seen_videos::double end as video_view_rate,
    case when seen_media > 0 then media_seen / seen_media::double end as media_engagement_rate,
    case when whole_week then impressions_week::bigint end as impressions_7_days,
    case when whole_month then impressions_month::bigint end as impressions_28_days,
    case when whole_month and whole_month_before and impressions_before > 0
        then impressions_month / impressions_before::double - 1 end as impressions_change,
    case when whole_week then engagements_week::bigint end as engagements_7_days,
    case when whole_month then engagements_month::bigint end as engagements_28_days,
    case when whole_month and whole_month_before and engagements_before > 0
        then engagements_month / engagements_before::double - 1 end as engagements_change
from ranged
