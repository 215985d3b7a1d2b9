-- One row is a UTC day, an engagement type and an age of 1, 2, 7 or 28 days.
-- It tells how much of its present value the day's count had when the day was so old. A Tweet counts if it had
-- been pulled for the day by then, and again since: of others, there is nothing to compare.
-- The key is day, engagement_type and age.
--   day  The UTC day on which it happened.
--   engagement_type  What was counted, under the API's own name.
--   age  How many days after the end of the day.
--   tweets  How many Tweets had been pulled for the day by then, and again since.
--   count  The day's count as it was then.
--   present  The day's count now, of the same Tweets. It may still change.
--   present_age  How many days after the end of the day all of that had been pulled, rounded down.
--   share  count divided by present; NULL where present is zero.
with ages as (
    select unnest([1, 2, 7, 28]) as age
),
pulled as (
    select
        tweet_id, day, pulled_at,
        ceil(date_diff('microsecond', (day + 1)::timestamp at time zone 'UTC', first_pulled_at) / 86_400e6) as known_at,
        ceil(date_diff('microsecond', (day + 1)::timestamp at time zone 'UTC', pulled_at) / 86_400e6) as renewed_at
    from coverage
    where table_name = 'engagements' and first_pulled_at is not null
),
present as (
    select
        day, engagement_type, known_at, renewed_at,
        count(*) as tweets, sum("count") as total, min(pulled_at) as pulled_at
    from daily
    join pulled using (tweet_id, day)
    group by all
),
changes as (
    select
        day, engagement_type, known_at, renewed_at, sum(new - coalesce(old, 0)) as gained,
        ceil(date_diff('microsecond', (day + 1)::timestamp at time zone 'UTC', new_pulled_at) / 86_400e6) as changed_at
    from revisions
    join pulled using (tweet_id, day)
    group by all
),
known as (
    select
        age, day, engagement_type, sum(tweets) as tweets, sum(total) as present, min(pulled_at) as pulled_at
    from present
    join ages on known_at <= age and renewed_at > age
    group by all
),
gained_since as (
    select age, day, engagement_type, sum(gained) as gained
    from changes
    join ages on known_at <= age and renewed_at > age and changed_at > age
    group by all
)
select
    day, engagement_type, age, tweets::bigint as tweets,
    (present - coalesce(gained, 0))::bigint as "count",
    present::bigint as present,
    floor(date_diff('microsecond', (day + 1)::timestamp at time zone 'UTC', pulled_at) / 86_400e6)::bigint
        as present_age,
    (present - coalesce(gained, 0)) / nullif(present, 0)::double as share
from known
left join gained_since using (age, day, engagement_type)
