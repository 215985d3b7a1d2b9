-- One row is a Tweet's engagement type and a window of which X API v2 gave hours, and its own sum of them.
-- The setting x_audit has a pull ask for these sums. The view compares each with the hours that are stored, unless
-- some of them were pulled again since. Two requests are never sent at the same moment, so the sum of a window that
-- ended less than a day before counts as young: its last hours still change. The key is tweet_id, engagement_type,
-- first_day and last_day.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the Engagement API's own name.
--   first_day  The first UTC day of the window.
--   last_day  The last UTC day of the window, included.
--   hours_sum  The sum of the hours that are stored; 0 if there are none.
--   total  The sum that the API gave.
--   difference  total less hours_sum.
--   pulled_at  When the oldest of the requests for these hours was sent.
--   observed_at  When the request for the total was sent.
--   young  Whether the window ended less than a day before observed_at.
with answered as (
    select
        summed.tweet_id, summed.first_day, summed.last_day, summed.observed_at,
        min(asked.pulled_at) as pulled_at, max(asked.pulled_at) as newest
    from (select distinct tweet_id, first_day, last_day, observed_at from window_totals) as summed
    join coverage as asked
        on asked.tweet_id = summed.tweet_id and asked.day between summed.first_day and summed.last_day
    where asked.endpoint = 'analytics' and asked.rows > 0
    group by all
),
comparable as (select * from answered where newest <= observed_at),
sums as (
    select
        comparable.tweet_id, comparable.first_day, comparable.last_day, counted.engagement_type,
        sum(counted."count")::bigint as hours_sum
    from comparable
    join hours_of_x_api_v2 as counted
        on counted.tweet_id = comparable.tweet_id and counted.day between comparable.first_day and comparable.last_day
    group by all
)
select
    tweet_id, engagement_type, first_day, last_day,
    coalesce(hours_sum, 0) as hours_sum, "count" as total, "count" - coalesce(hours_sum, 0) as difference,
    comparable.pulled_at, comparable.observed_at,
    comparable.observed_at < (last_day + 2)::timestamp at time zone 'UTC' as young
from window_totals
join comparable using (tweet_id, first_day, last_day)
left join sums using (tweet_id, first_day, last_day, engagement_type)
