-- One row is the count that was asked about, be it there or not.
-- It tells which response gave the count, and what it was before, from the tables alone.
-- The key is tweet_id, engagement_type, day and hour.
--   (of_tweet)  The ID of the Tweet.
--   (of_type)  The engagement type.
--   (of_day)  The UTC day.
--   (of_hour)  The UTC hour, 0 to 23.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the API's own name.
--   day  The UTC day on which it happened.
--   hour  The UTC hour of the day in which it happened.
--   count  The count; NULL if there is none.
--   reason  What came of the newest request for the Tweet's day, with the API's own words. NULL: nothing asked for it.
--   asked_at  When that request was sent, or given up.
--   known_since  When the request was sent that first gave this count; NULL if there is none.
--   given_at  When the newest request was sent that gave it. NULL if there is no count. NULL too if the newest
--             answer lacks some of the stored counts: an earlier one may have given this one.
--   source  The file of that response, in the lake.
--   handle  The account that sent that request.
--   status  Its HTTP status; NULL if the log of requests lacks it.
--   earlier  The counts before, oldest first, each with when it was replaced; a count is NULL where there was none yet.
with cell as (
    select "count"
    from engagements
    where tweet_id = of_tweet::bigint and engagement_type = of_type::varchar and day = of_day::date
        and hour = of_hour::integer
),
covered as (
    select outcome, text, asked_at, first_pulled_at, pulled_at, source,
        left_out is null and coalesce(kept_count, 0) = 0 as alone
    from coverage
    where tweet_id = of_tweet::bigint and day = of_day::date and table_name = 'engagements'
),
changed as (
    select
        list({'count': old, 'replaced_at': new_pulled_at} order by new_pulled_at) as earlier,
        max(new_pulled_at) as changed_at
    from revisions
    where tweet_id = of_tweet::bigint and engagement_type = of_type::varchar and day = of_day::date
        and hour = of_hour::integer
),
gathered as (
    select
        "count", concat_ws(': ', outcome, text) as reason, asked_at, earlier,
        case when "count" is not null then coalesce(changed_at, first_pulled_at) end as known_since,
        case when "count" is not null and alone then pulled_at end as given_at,
        case when "count" is not null and alone then source end as source
    from changed
    left join cell on true
    left join covered on true
),
sent as (
    select asked_at as sent_at, any_value(handle) as handle, any_value(status)::bigint as status
    from requests
    where endpoint in ('historical', 'analytics') and list_contains(tweet_ids, of_tweet::bigint)
    group by asked_at
)
select
    of_tweet::bigint as tweet_id, of_type::varchar as engagement_type, of_day::date as day, of_hour::integer as hour,
    "count", nullif(reason, '') as reason, asked_at, known_since, given_at, source, handle, status, earlier
from gathered
left join sent on sent_at = given_at
