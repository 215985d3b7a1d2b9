-- One row is a handle, and a weekday and hour of a time zone in which it posted.
-- It tells what its Tweets came to 7 days after, each at the same age, by when they were posted. Those that are too young,
-- or of which an hour lacks its count, are left out of a median. The key is handle, weekday and local_hour.
--   (tz)  The name of a time zone, such as 'Europe/Berlin'.
--   handle  The account that owns the Tweets.
--   weekday  The day of the week in the time zone: 1 is Monday, 7 is Sunday.
--   local_hour  The hour of the day in the time zone, 0 to 23.
--   posted  How many Tweets it posted then.
--   median_impressions_7_days  The median of their impressions after 168 hours; NULL if none is known.
--   n_impressions_7_days  Of how many Tweets.
--   median_engagements_7_days  The median of their engagements after 168 hours; NULL if none is known.
--   n_engagements_7_days  Of how many Tweets.
with valued as (
    select
        handle, tweet_id, posted_at,
        max(after_7_days) filter (engagement_type = 'impressions') as impressions,
        max(after_7_days) filter (engagement_type = 'engagements') as engagements
    from (
        select handle, tweet_id, posted_at, engagement_type, after_7_days
        from tweet_value
        where engagement_type in ('impressions', 'engagements')
        union all by name
        select handle, tweet_id, posted_at from tweets where posted_at is not null and handle is not null
    )
    group by handle, tweet_id, posted_at
),
local as (
    select *, posted_at at time zone tz::varchar as local_time
    from valued
)
select
    handle, isodow(local_time) as weekday, hour(local_time) as local_hour, count(*) as posted,
    median(impressions) as median_impressions_7_days, count(impressions) as n_impressions_7_days,
    median(engagements) as median_engagements_7_days, count(engagements) as n_engagements_7_days
from local
group by handle, isodow(local_time), hour(local_time)
