-- One row is media that a Tweet shows, as the roster's media_keys have it.
-- A sync or an import of the roster finds these keys. Media that several Tweets show have a row for each.
-- The key is tweet_id and media_key.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   media_key  The key of X API v2, such as 7_1890000000000000001. It begins with 3 for a photo.
--   media_id  The number in the key.
select distinct tweet_id, media_key, try_cast(split_part(media_key, '_', 2) as bigint) as media_id
from (
    select tweet_id, unnest(regexp_extract_all(keys, '\b[0-9]{1,3}_[0-9]{1,19}\b')) as media_key
    from (select null::varchar as media_keys) as absent  -- what media_keys is where the roster has no such column
    cross join lateral (select tweet_id, media_keys::varchar as keys from tweets) as listed
)
where try_cast(split_part(media_key, '_', 2) as bigint) > 0
