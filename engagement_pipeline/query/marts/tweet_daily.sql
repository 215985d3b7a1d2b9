-- One row is a Tweet and a UTC day that was asked for, from the day on which it was posted.
-- Each metric is a column: the sum over the hours of the day. NULL is a count that the API has not
-- given, never zero. A sum over rows that are not all complete is too low. For a rate over several rows, divide the
-- sums: the mean of their rates is another number. A rate above 1 is legal, since impressions are organic only.
-- Tweets without a handle in the roster are not there. The key is tweet_id and day.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   day  The UTC day on which it happened.
--   handle  The account that owns the Tweet.
--   posted_at  When it was posted; NULL before Snowflake IDs.
--   age  The days since the UTC day on which it was posted, which is 0.
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
--   engagement_rate  engagements divided by impressions; NULL unless there are impressions.
--   public_engagement_rate  public_engagements divided by impressions.
--   url_click_rate  url_clicks divided by impressions.
--   video_view_rate  video_views divided by impressions.
--   media_engagement_rate  media_engagements divided by media_views.
--   over_100_percent  Whether a rate of the row is above 1; NULL if it has none.
--   types  How many engagement types have a count.
--   hours_measured  How many hours have a count, on average over these types, rounded down.
--   hours_expected  How many hours the day has from the hour of posting on, 24 at most.
--   complete  Whether each of these types has a count of each of these hours, and the newest answer left out none. The
--             answer came after the end of the day.
--   reason  Why the day is not complete, or why its counts are older than the newest request; NULL if neither.
--   pulled_at  When the newest request that gave counts was sent; NULL if none did.
with asked as (
    select tweet_id, day, handle, posted_at, outcome, text, rows, pulled_at, left_out, endpoint
    from coverage
    join (select tweet_id, handle, posted_at from tweets where handle is not null) using (tweet_id)
    where table_name = 'engagements'
),
measured as (
    select
        asked.*, posted_at at time zone 'UTC' as posted,
        wide.* exclude (tweet_id, day, handle, types), coalesce(types, 0) as types,
        types - case endpoint when 'historical' then types_of_analytics else types_of_historical end as types_of_source,
        favorites + replies + retweets as public_engagements,
        case
            when (posted_at at time zone 'UTC')::date = asked.day then 24 - hour(posted_at at time zone 'UTC') else 24
        end as hours_expected,
        pulled_at >= (asked.day + 1)::timestamp at time zone 'UTC' as whole_day
    from asked
    -- By handle too: so a question about one handle reaches its Tweets before all counts are read.
    left join daily_wide as wide on wide.tweet_id = asked.tweet_id and wide.day = asked.day and wide.handle = asked.handle
    where posted_at is null or posted_at < (asked.day + 1)::timestamp at time zone 'UTC'
),
rated as (
    select
        *,
        case when impressions > 0 then engagements / impressions::double end as engagement_rate,
        case when impressions > 0 then public_engagements / impressions::double end as public_engagement_rate,
        case when impressions > 0 then url_clicks / impressions::double end as url_click_rate,
        case when impressions > 0 then video_views / impressions::double end as video_view_rate,
        case when media_views > 0 then media_engagements / media_views::double end as media_engagement_rate,
        coalesce(rows > 0 and rows = types_of_source * hours_expected and left_out is null and whole_day, false) as complete
    from measured
)
select
    tweet_id, day, handle, posted_at, (day - posted::date)::bigint as age,
    impressions, engagements, favorites, replies, retweets, video_views, media_views, media_engagements, url_clicks,
    hashtag_clicks, detail_expands, permalink_clicks, user_profile_clicks, user_follows, email_tweet, app_opens,
    app_install_attempts, public_engagements,
    engagement_rate, public_engagement_rate, url_click_rate, video_view_rate, media_engagement_rate,
    greatest(
        engagement_rate, public_engagement_rate, url_click_rate, video_view_rate, media_engagement_rate
    ) > 1 as over_100_percent,
    types,
    case when types_of_source > 0 then rows // types_of_source else 0 end as hours_measured,
    hours_expected::bigint as hours_expected,
    complete,
    case
        when outcome not in ('stored', 'missing from the response') or rows = 0
            then concat_ws(': ', outcome, text)
        when left_out is not null then 'left out: ' || array_to_string(left_out, ', ')
        when not whole_day then 'pulled before the day was over'
        when not complete then 'hours are missing'
    end as reason,
    pulled_at
from rated
