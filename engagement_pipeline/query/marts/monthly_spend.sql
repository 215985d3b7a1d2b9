-- One row is a UTC month in which something was asked for.
-- It tells what the month has used of what contracts count. A limit and the price are the settings of these names, as
-- they were last set in that month, and NULL if they were not. Below zero, the month went over the limit. The key is
-- month.
--   month  The first day of the UTC month.
--   requests  How many requests were sent to both APIs, each try counted.
--   requests_per_month  The limit.
--   requests_left  The limit less requests.
--   handles  How many handles the Engagement API was asked for. Tweets of others have none.
--   handles_per_month  The limit.
--   handles_left  The limit less handles.
--   posts_read  How many Posts X API v2 gave, each counted once a UTC day.
--   posts_per_month  The limit.
--   posts_left  The limit less posts_read.
--   price_per_read  The price of a Post that X API v2 gave.
--   cost  posts_read at that price.
with asked as (
    select
        date_trunc('month', asked_at at time zone 'UTC')::date as month, (asked_at at time zone 'UTC')::date as day,
        requests.*
    from requests
),
named as (
    select month, day, unnest(tweet_ids) as tweet_id from asked where posts > 0
),
reads as (
    select month, count(distinct (day, tweet_id)) as posts from named group by month
),
sums as (
    select
        month, sum(tries)::bigint as requests,
        count(distinct handle) filter (
            status in (200, 400, 403) and endpoint in ('totals', '28hr', 'historical')
        ) as handles,
        -- Posts that are forgotten, and so are counted and not named.
        coalesce(sum(posts - len(list_distinct(tweet_ids))) filter (posts > 0), 0)::bigint as unnamed,
        arg_max(requests_per_month, asked_at) as requests_per_month,
        arg_max(handles_per_month, asked_at) as handles_per_month,
        arg_max(posts_per_month, asked_at) as posts_per_month,
        arg_max(price_per_read, asked_at) as price_per_read
    from asked
    group by month
)
select
    month, requests, requests_per_month, requests_per_month - requests as requests_left,
    handles, handles_per_month, handles_per_month - handles as handles_left,
    unnamed + coalesce(posts, 0) as posts_read, posts_per_month, posts_per_month - posts_read as posts_left,
    price_per_read, price_per_read * posts_read as cost
from sums
left join reads using (month)
