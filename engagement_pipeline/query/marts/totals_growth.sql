-- One row is a Tweet's lifetime count of one type, as /totals gave it on a day.
-- Beside it is what it grew by since the observation before. Tweets of others are there too. The count is a sum so far,
-- never that of a day: joined to days, it would be counted once a day.
-- The key is tweet_id, engagement_type and observed_on.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   observed_on  The UTC day on which the pull began.
--   observed_at  When the request for the count was sent.
--   handle  The account that owns the Tweet; NULL for a Tweet of others.
--   count  How often it had happened by then.
--   previous  The count that was observed before; NULL if there is none.
--   previous_at  When that was.
--   growth  count less previous. Below zero where more was undone than done.
--   growth_per_day  growth divided by the days between the two, with fractions.
select
    tweet_id, engagement_type, observed_on, observed_at, handle, "count",
    lag("count") over earlier as previous,
    lag(observed_at) over earlier as previous_at,
    "count" - lag("count") over earlier as growth,
    ("count" - lag("count") over earlier) * 86_400e6
        / nullif(date_diff('microsecond', lag(observed_at) over earlier, observed_at), 0) as growth_per_day
from totals
left join (select tweet_id, handle from tweets) using (tweet_id)
window earlier as (partition by tweet_id, engagement_type, handle order by observed_on)
