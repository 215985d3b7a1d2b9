-- One row is a count of engagements, or one that /28hr has where there is none yet.
-- The key is tweet_id, engagement_type, day and hour.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   day  The UTC day on which it happened.
--   hour  The UTC hour of the day in which it happened, 0 to 23.
--   count  How often. Below zero where more was undone than done.
--   provisional  Whether it is from /28hr, and may still change.
--   partial  Whether only a part of the hour was asked for.
select tweet_id, engagement_type, day, hour, "count", false as provisional, false as partial
from engagements
union all
select tweet_id, engagement_type, day, hour, "count", true as provisional, partial
from recent
anti join (select * from engagements where day >= (select min(day) from recent))
    using (tweet_id, engagement_type, day, hour)
