-- One row is a count of engagements, as it was published from what had been pulled by a moment.
-- The key is tweet_id, engagement_type, day and hour.
--   (moment)  A TIMESTAMPTZ, or a text. One that names its offset or zone is that instant; one without is UTC.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   day  The UTC day on which it happened.
--   hour  The UTC hour of the day in which it happened, 0 to 23.
--   count  How often, as it was known then. Below zero where more was undone than done.
with asked as (
    select
        case
            when regexp_matches(moment::varchar, ':[0-9.: ]+[A-Za-z+-]') then moment::timestamptz
            else moment::timestamp at time zone 'UTC'
        end as instant
),
first_changes as (
    select tweet_id, engagement_type, day, hour, arg_min({'old': old}, new_pulled_at) as first_change
    from revisions
    where new_pulled_at > (select instant from asked)
    group by all
)
select tweet_id, engagement_type, day, hour,
    case when first_change is null then "count" else first_change.old end as "count"
from engagements
join coverage using (tweet_id, day)
left join first_changes using (tweet_id, engagement_type, day, hour)
where table_name = 'engagements' and first_pulled_at <= (select instant from asked)
    and (first_change is null or first_change.old is not null)
