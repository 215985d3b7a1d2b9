-- One row is a handle, an engagement type and a UTC hour.
-- It sums the counts of all the handle's Tweets, from their hour of posting on. An hour without a count has no row.
-- It is stored, a file a month. The key is handle, engagement_type, day and hour.
--   handle  The account that owns the Tweets; NULL if the lake does not know it.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   day  The UTC day on which it happened.
--   hour  The UTC hour of the day in which it happened, 0 to 23.
--   count  How often it happened, over all Tweets.
--   tweets  How many Tweets have a count of this hour.
select handle, engagement_type, day, hour, sum("count")::bigint as "count", count(*) as tweets
from engagements
left join (
    select tweet_id, handle, coalesce(floor(epoch(posted_at) / 3600), 0)::int as posted from tweets
) using (tweet_id)
where (day - date '1970-01-01') * 24 + hour >= coalesce(posted, 0)
group by handle, engagement_type, day, hour
