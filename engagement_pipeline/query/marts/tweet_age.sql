-- One row is a Tweet, an engagement type and an hour of the Tweet's first 28 days that has a count.
-- It lets Tweets be compared at the same age, by the UTC hours since posting. Tweets without a time in their ID are not
-- there. The key is tweet_id, engagement_type and age_hours.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   age_hours  The hours since that of posting, which is 0 and shorter than an hour; 671 at most.
--   handle  The account that owns the Tweet.
--   posted_at  When it was posted.
--   posted_on  The UTC day on which it was posted.
--   hour_at  When the hour began.
--   count  How often it happened in this hour. Below zero where more was undone than done.
--   cumulative  How often it happened from the posting to the end of this hour; NULL unless covered.
--   covered  Whether this hour and each before it has a count, of an answer that came after the hour's end.
with first_days as (
    select
        tweet_id, handle, posted_at, date_trunc('hour', posted_at at time zone 'UTC') as posted,
        unnest(range(29)) as number
    from (select tweet_id, handle, posted_at from tweets where posted_at is not null)
),
dated as (
    select tweet_id, handle, posted_at, posted, posted::date as posted_on, (posted::date + number::int) as day
    from first_days
),
answered as (
    select tweet_id, day, handle, posted_at, posted, posted_on, pulled_at at time zone 'UTC' as pulled
    from (select tweet_id, day, pulled_at from coverage where table_name = 'engagements' and rows > 0)
    join dated using (tweet_id, day)
),
hours as (
    select
        tweet_id, engagement_type, handle, posted_at, posted, posted_on, pulled, "count",
        day + hour * interval 1 hour as begun,
        date_diff('hour', posted, day + hour * interval 1 hour) as age_hours
    from engagements
    join answered using (tweet_id, day)
),
followed as (
    select
        *,
        sum("count") over so_far as so_far,
        count(*) filter (pulled >= begun + interval 1 hour) over so_far as known
    from hours
    where age_hours between 0 and 671
    window so_far as (
        partition by tweet_id, engagement_type, handle, posted_at, posted_on order by age_hours
        rows between unbounded preceding and current row
    )
)
select
    tweet_id, engagement_type, age_hours, handle, posted_at, posted_on, begun at time zone 'UTC' as hour_at, "count",
    case when known = age_hours + 1 then so_far::bigint end as cumulative,
    known = age_hours + 1 as covered
from followed
