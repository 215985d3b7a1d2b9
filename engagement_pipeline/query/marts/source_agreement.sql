-- One row is a handle, an engagement type and a UTC day of which both sources gave counts of the same hours.
-- It tells how far X API v2 agrees with the Engagement API. Only hours of a Tweet that both counted are compared. An
-- hour counts as young if one of the two requests was sent less than a day after its end: such counts still change.
-- The key is handle, engagement_type and day.
--   handle  The account that owns the Tweets; NULL for a Tweet of others.
--   engagement_type  What was counted, under the Engagement API's own name.
--   day  The UTC day on which it happened.
--   engagement  The sum of the Engagement API's counts.
--   x_api_v2  The sum of X API v2's counts.
--   ratio  x_api_v2 divided by engagement; NULL where that is zero.
--   hours  How many hours of a Tweet both counted.
--   hours_that_differ  In how many of them the counts differ.
--   largest_difference  The largest difference of one hour, without its sign.
--   young_hours  How many of the hours were young.
--   young_hours_that_differ  In how many of these the counts differ.
--   young_engagement  The sum of the Engagement API's counts of young hours.
--   young_x_api_v2  The sum of X API v2's counts of young hours.
with pulled as (
    select tweet_id, day, min(pulled_at) as pulled_at
    from coverage
    where endpoint in ('historical', 'analytics') and rows > 0
    group by tweet_id, day
),
compared as (
    select
        handle, engagement_type, day, ours, theirs,
        pulled_at < (day + (hour + 25) * interval 1 hour) at time zone 'UTC' as young
    from (
        select tweet_id, engagement_type, day, hour, "count" as ours
        from engagements_by_source
        where source = 'engagement'
    )
    join (
        select tweet_id, engagement_type, day, hour, "count" as theirs
        from engagements_by_source
        where source = 'x_api_v2'
    ) using (tweet_id, engagement_type, day, hour)
    join pulled using (tweet_id, day)
    left join (select tweet_id, handle from tweets) using (tweet_id)
)
select
    handle, engagement_type, day,
    sum(ours)::bigint as engagement,
    sum(theirs)::bigint as x_api_v2,
    sum(theirs) / nullif(sum(ours), 0)::double as ratio,
    count(*) as hours,
    count(*) filter (ours <> theirs) as hours_that_differ,
    max(abs(theirs - ours)) as largest_difference,
    count(*) filter (young) as young_hours,
    count(*) filter (young and ours <> theirs) as young_hours_that_differ,
    coalesce(sum(ours) filter (young), 0)::bigint as young_engagement,
    coalesce(sum(theirs) filter (young), 0)::bigint as young_x_api_v2
from compared
group by handle, engagement_type, day
