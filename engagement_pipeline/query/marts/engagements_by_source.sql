-- One row is a count that a source gave.
-- The view engagements shows one of them where both sources gave a count; here are both.
-- The key is source, tweet_id, engagement_type, day and hour.
--   source  The API that gave it: engagement, or x_api_v2.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the Engagement API's own name. The view metrics says what each means.
--   day  The UTC day on which it happened.
--   hour  The UTC hour of the day in which it happened, 0 to 23.
--   count  How often it happened.
select 'engagement' as source, tweet_id, engagement_type, day, hour, "count" from hours_of_engagement
union all
select 'x_api_v2' as source, tweet_id, engagement_type, day, hour, "count" from hours_of_x_api_v2
