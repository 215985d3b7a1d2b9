-- One row is a Tweet and an endpoint that did not serve it when it was last asked.
-- A Tweet that is served again leaves the view. The key is tweet_id and endpoint.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   endpoint  The endpoint that was asked.
--   handle  The account that owns the Tweet; NULL for a Tweet of others.
--   reason  What came of the newest request.
--   text  The API's own words for a refusal, or why no answer came.
--   since  Since when it is not served: when the first such request that is known was sent.
--   asked_at  When the newest request was sent, or given up.
--   next_try  When it is due to be asked for again. NULL: at the next pull, or for a forbidden Tweet once the tokens of
--             its account change.
--   forget_by  When it must be gone from here: 24 hours after the first answer that called it unavailable. The developer
--              policy of X gives 24 hours from a request to delete it, and that answer is taken for one. A suspended
--              account's Tweet is unavailable too. NULL: it is not called so, or an endpoint has served it since.
--   days_held  Of how many UTC days the lake has counts from this endpoint.
with heard as (
    select
        tweet_id, endpoint, max(asked_at) as asked_at, max(pulled_at) as served_at,
        arg_max({'outcome': outcome, 'text': text}, {'at': asked_at, 'served': outcome = 'stored', 'day': day}) as last,
        count(*) filter (rows > 0) as days_held
    from coverage
    where outcome <> 'before it was posted'
    group by tweet_id, endpoint
),
served as (
    select tweet_id, endpoint, served_at, max(served_at) over (partition by tweet_id) as anywhere_at
    from heard
),
refused as (
    select
        tweet_id, endpoint, min(asked_at) as since,
        min(asked_at) filter (outcome = 'unavailable' and (asked_at > anywhere_at or anywhere_at is null)) as gone_at
    from coverage
    join served using (tweet_id, endpoint)
    where outcome <> 'before it was posted' and (asked_at > served_at or served_at is null)
    group by tweet_id, endpoint
)
select
    tweet_id, endpoint, owned.handle, last.outcome as reason, last.text as text, since, heard.asked_at,
    case
        when set_aside.reason = 'unavailable' then set_aside.asked_at + interval 720 hours
        when set_aside.reason = 'protected' or set_aside.reason = 'forbidden' and set_aside.handle = ''
            then set_aside.asked_at + interval 168 hours
    end as next_try,
    case when last.outcome = 'unavailable' then min(gone_at) over (partition by tweet_id) + interval 24 hours
    end as forget_by,
    days_held
from heard
join refused using (tweet_id, endpoint)
left join (select tweet_id, handle from tweets) as owned using (tweet_id)
left join set_aside using (tweet_id)
where last.outcome <> 'stored'
