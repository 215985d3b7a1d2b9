-- One row is a media key and day that /media was asked for.
-- It says when it was last asked for, and what came of it. The key is media_id and day.
--   media_key  The key of X API v2, such as 7_1890000000000000001; NULL where no Tweet of the view tweets names it.
--   media_id  The number in the key. Text in JSON and JavaScript, which round such numbers.
--   day  The UTC day that was asked for.
--   asked_at  When the newest request for it was sent, or given up if no answer came.
--   outcome  What came of that request: stored, or the reason why it gave nothing to store.
--   text  The API's own words for a refusal, or why no answer came.
--   pulled_at  When the newest request that gave rows was sent. NULL: no rows.
--   rows  How many rows are stored.
with keys as (
    select media_id, min(media_key) as media_key
    from tweet_media
    group by media_id
)
select
    keys.media_key, asked.tweet_id as media_id, asked.day, asked.asked_at,
    asked.outcome, asked.text, asked.pulled_at, asked.rows
from coverage_of_media as asked
left join keys on keys.media_id = asked.tweet_id
