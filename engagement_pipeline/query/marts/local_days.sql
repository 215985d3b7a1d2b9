-- One row is a Tweet, an engagement type and a day of a time zone.
-- It sums the UTC hours that begin on the local day, 23 or 25 of them where clocks change. In a zone off the full hour, one
-- of them reaches into the next day: straddling says how much it holds.
-- The key is tweet_id, engagement_type and local_day.
--   (tz)  The name of a time zone, such as 'Europe/Berlin'.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   local_day  The day in the time zone.
--   handle  The account that owns the Tweet.
--   count  How often it happened in the hours that have a count.
--   hours_measured  How many hours have a count, of an answer that came after the hour's end.
--   hours_expected  How many hours begin on the day, from that of posting on.
--   complete  Whether all of them are measured; where not, the count is too low.
--   straddling  How much of the count is of an hour that reaches into the next day.
--   straddling_share  straddling divided by count; NULL unless there is a count above zero.
with hours as (
    select
        day, hour::int as hour, day + (hour + 1) * interval 1 hour as ends,
        ((day + hour * interval 1 hour) at time zone 'UTC' at time zone tz::varchar)::date as local_day,
        ((day + hour * interval 1 hour + interval '59 minutes') at time zone 'UTC' at time zone tz::varchar)::date
            as ends_on
    from (
        select unnest(generate_series(min(day), max(day), interval 1 day))::date as day
        from coverage
        where table_name = 'engagements'
    )
    cross join range(24) as of_a_day(hour)
),
counted as (
    select
        tweet_id, engagement_type, local_day, handle, posted,
        sum("count")::bigint as "count",
        count(*) filter (pulled >= ends) as hours_measured,
        coalesce(sum("count") filter (ends_on <> local_day), 0)::bigint as straddling
    from engagements
    join hours using (day, hour)
    join (
        select tweet_id, day, pulled_at at time zone 'UTC' as pulled
        from coverage
        where table_name = 'engagements'
    ) using (tweet_id, day)
    join (select tweet_id, handle, floor(epoch(posted_at) / 3600)::int as posted from tweets) using (tweet_id)
    where (day - date '1970-01-01') * 24 + hour >= coalesce(posted, 0)
    group by tweet_id, engagement_type, local_day, handle, posted
),
bounded as (
    select
        *,
        greatest(ceil(epoch(local_day::timestamp at time zone tz::varchar) / 3600), posted)::bigint as first_hour,
        ceil(epoch((local_day + 1)::timestamp at time zone tz::varchar) / 3600)::bigint as end_hour
    from counted
)
select
    tweet_id, engagement_type, local_day, handle, "count", hours_measured, end_hour - first_hour as hours_expected,
    hours_measured = end_hour - first_hour as complete, straddling,
    case when "count" > 0 then straddling / "count"::double end as straddling_share
from bounded
