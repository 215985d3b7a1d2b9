-- One row is a handle, an engagement type, a weekday and an hour of a time zone.
-- It sums the UTC hours that begin in this hour of the week, over all days of the lake. Compare per_hour, since clocks
-- change and not all hours are measured equally often. For an hour over several weekdays, divide the sum of count by the
-- sum of hours. The key is handle, engagement_type, weekday and local_hour.
--   (tz)  The name of a time zone, such as 'Europe/Berlin'.
--   handle  The account that owns the Tweets; NULL if the lake does not know it.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   weekday  The day of the week in the time zone: 1 is Monday, 7 is Sunday.
--   local_hour  The hour of the day in the time zone, 0 to 23.
--   count  How often it happened in these hours, over all Tweets.
--   hours  How many such hours have counts of at least one Tweet.
--   per_hour  count divided by hours.
with local as (
    select *, (day + hour * interval 1 hour) at time zone 'UTC' at time zone tz::varchar as local_time
    from handle_hourly
)
select
    handle, engagement_type, isodow(local_time) as weekday, hour(local_time) as local_hour,
    sum("count")::bigint as "count", count(*) as hours, sum("count") / count(*)::double as per_hour
from local
group by handle, engagement_type, isodow(local_time), hour(local_time)
