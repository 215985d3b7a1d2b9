-- One row is a handle, a UTC day and a reason why counts of some of its Tweets are missing or old.
-- A day without a row has all counts that the API gives. Days before a Tweet was posted are not among them, and Tweets
-- that are not asked for again for a while are in the view set_aside. The key is handle, day, reason and text.
--   handle  The account that owns the Tweets; NULL if the lake does not know it.
--   day  The UTC day that was asked for.
--   reason  The outcome of the newest request, or left out: its answer lacks counts that an earlier one gave.
--   text  The API's own words, why no answer came, or the types that were left out.
--   tweets  How many Tweets it concerns.
--   without_counts  How many of them have no count of the day.
--   asked_at  When the newest of these requests was sent, or given up.
with found as (
    select tweet_id, day, outcome as reason, text, rows, asked_at
    from coverage
    where table_name = 'engagements' and outcome <> 'stored'
        and (rows = 0 or outcome <> 'missing from the response')  -- what is missing of stored counts is left out
    union all
    select tweet_id, day, 'left out' as reason, array_to_string(left_out, ', ') as text, rows, asked_at
    from coverage
    where table_name = 'engagements' and left_out is not null
)
select
    handle, day, reason, found.text,
    count(*) as tweets, count(*) filter (found.rows = 0) as without_counts, max(found.asked_at) as asked_at
from found
left join (select tweet_id, handle, posted_at from tweets) using (tweet_id)
where posted_at is null or posted_at < (day + 1)::timestamp at time zone 'UTC'
group by all
