-- One row is a handle and a UTC day of posting.
-- It tells what the Tweets that were posted on that day came to, each at the same age. Tweets that are too young, or of
-- which an hour lacks its count, are left out of a column, and its n says how many are in. The key is handle and day.
--   handle  The account that owns the Tweets.
--   day  The UTC day on which they were posted.
--   posted  How many Tweets were posted.
--   median_impressions_1_day  The median of their impressions after 24 hours; NULL if none is known.
--   n_impressions_1_day  Of how many Tweets.
--   median_engagements_1_day  The median of their engagements after 24 hours; NULL if none is known.
--   n_engagements_1_day  Of how many Tweets.
--   median_impressions_7_days  The median of their impressions after 168 hours; NULL if none is known.
--   n_impressions_7_days  Of how many Tweets.
--   median_engagements_7_days  The median of their engagements after 168 hours; NULL if none is known.
--   n_engagements_7_days  Of how many Tweets.
--   median_impressions_28_days  The median of their impressions after 672 hours; NULL if none is known.
--   n_impressions_28_days  Of how many Tweets.
--   median_engagements_28_days  The median of their engagements after 672 hours; NULL if none is known.
--   n_engagements_28_days  Of how many Tweets.
--   engagement_rate_28_days  Their engagements after 28 days divided by their impressions then, of the Tweets that have
--                            both. NULL without impressions.
with valued as (
    select
        handle, tweet_id, (posted_at at time zone 'UTC')::date as day,
        max(after_1_day) filter (engagement_type = 'impressions') as impressions_1,
        max(after_7_days) filter (engagement_type = 'impressions') as impressions_7,
        max(after_28_days) filter (engagement_type = 'impressions') as impressions_28,
        max(after_1_day) filter (engagement_type = 'engagements') as engagements_1,
        max(after_7_days) filter (engagement_type = 'engagements') as engagements_7,
        max(after_28_days) filter (engagement_type = 'engagements') as engagements_28
    from (
        select handle, tweet_id, posted_at, engagement_type, after_1_day, after_7_days, after_28_days
        from tweet_value
        where engagement_type in ('impressions', 'engagements')
        union all by name
        select handle, tweet_id, posted_at from tweets where posted_at is not null and handle is not null
    )
    group by handle, tweet_id, posted_at
)
select
    handle, day, count(*) as posted,
    median(impressions_1) as median_impressions_1_day, count(impressions_1) as n_impressions_1_day,
    median(engagements_1) as median_engagements_1_day, count(engagements_1) as n_engagements_1_day,
    median(impressions_7) as median_impressions_7_days, count(impressions_7) as n_impressions_7_days,
    median(engagements_7) as median_engagements_7_days, count(engagements_7) as n_engagements_7_days,
    median(impressions_28) as median_impressions_28_days, count(impressions_28) as n_impressions_28_days,
    median(engagements_28) as median_engagements_28_days, count(engagements_28) as n_engagements_28_days,
    case
        when sum(impressions_28) filter (engagements_28 is not null) > 0
            then sum(engagements_28) filter (impressions_28 is not null)
                / sum(impressions_28) filter (engagements_28 is not null)::double
    end as engagement_rate_28_days
from valued
group by handle, day
