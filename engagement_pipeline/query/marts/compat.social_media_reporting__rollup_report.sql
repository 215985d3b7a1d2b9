-- One row is a Tweet, under the names of Fivetran's report over several platforms.
-- It is tweet_lifetime for queries that were written for that report. What the Engagement API does not have is NULL and
-- never zero. The key is post_id.
--   created_timestamp  When the Tweet was posted.
--   post_id  The Tweet, as text.
--   post_message  Its text: always NULL, since the API does not give it.
--   page_id  Always NULL: the API does not have it.
--   page_name  The handle of the account that owns the Tweet; NULL for a Tweet of others.
--   post_url  The address of the Tweet.
--   source_relation  Always empty: there is one source.
--   platform  Always twitter.
--   clicks  Always NULL: the API does not have it.
--   impressions  How often the Tweet was seen, over the days that the lake has.
--   likes  Likes, over these days.
--   shares  Reposts, over these days.
--   comments  Replies, over these days.
select
    posted_at as created_timestamp, tweet_id::varchar as post_id, null::varchar as post_message,
    null::varchar as page_id, handle as page_name,
    'https://x.com/' || coalesce(handle, 'i') || '/status/' || tweet_id as post_url, '' as source_relation,
    'twitter' as platform, null::bigint as clicks, impressions, favorites as likes, retweets as shares,
    replies as comments
from tweet_lifetime
