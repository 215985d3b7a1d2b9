-- One row a UTC day, engagement type and age in days: the day's count as it was `age` days after the day ended, and its
-- share of the present count. Only Tweets that had been pulled for the day by then are included: `tweets` of them.
with ages as (
    select unnest([1, 2, 7, 28]) as age
),
first_pulled as (
    select
        tweet_id, day,
        ceil(date_diff('microsecond', (day + 1)::timestamp at time zone 'UTC', first_pulled_at) / 86_400e6) as known_at
    from coverage
    where endpoint = 'historical' and first_pulled_at is not null
),
present as (
    select day, engagement_type, known_at, count(*) as tweets, sum("count") as total
    from daily
    join first_pulled using (tweet_id, day)
    group by all
),
changes as (
    select
        day, engagement_type, known_at, sum(new - coalesce(old, 0)) as gained,
        ceil(date_diff('microsecond', (day + 1)::timestamp at time zone 'UTC', new_pulled_at) / 86_400e6) as changed_at
    from revisions
    join first_pulled using (tweet_id, day)
    group by all
),
known as (
    select age, day, engagement_type, sum(tweets) as tweets, sum(total) as final
    from present
    join ages on known_at <= age
    group by all
),
gained_since as (
    select age, day, engagement_type, sum(gained) as gained
    from changes
    join ages on known_at <= age and changed_at > age
    group by all
)
select
    day, engagement_type, age, tweets::bigint as tweets,
    (final - coalesce(gained, 0))::bigint as "count",
    final::bigint as final,
    (final - coalesce(gained, 0)) / nullif(final, 0)::double as share
from known
left join gained_since using (age, day, engagement_type)
where (day + 1 + age)::timestamp at time zone 'UTC' <= (
    select max(asked_at) from coverage where endpoint = 'historical'
)
