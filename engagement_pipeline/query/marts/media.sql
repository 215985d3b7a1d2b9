-- One row is a count of a video that /media of X API v2 gave.
-- The setting media has a pull ask for it. The view tweet_media tells which Tweets show the video: one video may be in
-- several. A missing row is not a zero: media_coverage has the reason. The key is media_key, metric, day and hour.
--   media_key  The key of X API v2, such as 7_1890000000000000001; NULL where no Tweet of the view tweets names it.
--   media_id  The number in the key. Text in JSON and JavaScript, which round such numbers.
--   metric  What was counted, under the API's own name. The view metrics says what each means.
--   day  The UTC day on which it happened.
--   hour  The UTC hour of the day in which it happened, 0 to 23.
--   count  How often it happened; of watch_time_ms, how many milliseconds.
with keys as (
    select media_id, min(media_key) as media_key
    from tweet_media
    group by media_id
)
select
    keys.media_key, counted.tweet_id as media_id, counted.engagement_type as metric,
    counted.day, counted.hour, counted."count"
from hours_of_x_api_v2_media as counted
left join keys on keys.media_id = counted.tweet_id
