-- One row is a handle and a UTC day on which it had Tweets, from the first day that was asked for to the last.
-- It tells whether the handle's sums of the day can be compared with those of other days, and why not. Each Tweet that
-- had been posted by the end of the day counts in one of stored, partial, set_aside, failed and not_asked.
-- The key is handle and day.
--   handle  The account that owns the Tweets.
--   day  The UTC day.
--   expected  How many Tweets it had, of those that are followed or were asked for.
--   stored  Of how many the day is complete, as tweet_daily says.
--   partial  Of how many only a part of the day is known.
--   set_aside  Of how many the API gives no counts, since they are deleted, protected or forbidden.
--   failed  Of how many no counts came for another reason.
--   not_asked  How many no request has asked for.
--   old  Of how many the counts are older than the newest request, because it gave none.
--   reason  Why, in words, each with the number of Tweets; NULL if all are stored and none is old. IDs are left out.
--   trusted  Whether all Tweets that the API serves are stored.
with known as (
    select
        tweet_id, handle, coalesce((posted_at at time zone 'UTC')::date, date '1970-01-01') as posted_on,
        tweet_id in (select tweet_id from set_aside where endpoint in ('historical', 'analytics')) as resting
    from tweets
    where followed and handle is not null
),
followed as (
    select handle, day, count(*) as tweets, count(*) filter (resting) as resting
    from known
    join (
        select unnest(generate_series(min(day), max(day), interval 1 day))::date as day
        from coverage
        where table_name = 'engagements'
    ) on posted_on <= day
    group by handle, day
),
asked as (
    select
        handle, day, reason, count(*) as tweets,
        count(*) filter (complete) as stored,
        count(*) filter (types > 0 and not complete) as partial,
        count(*) filter (types = 0 and regexp_matches(reason, '^(unavailable|protected|forbidden)\b')) as set_aside,
        count(*) filter (complete and reason is not null) as old,
        count(*) filter (known_id is not null) as followed,
        count(*) filter (resting) as resting
    from (select * replace (regexp_replace(reason, '[0-9]{6,}', '…', 'g') as reason) from tweet_daily)
    left join (select tweet_id as known_id, resting from known) on known_id = tweet_id
    group by handle, day, reason
),
counted as (
    select
        handle, day, sum(tweets) as tweets, sum(stored) as stored, sum(partial) as partial, sum(set_aside) as set_aside,
        sum(old) as old, sum(followed) as of_followed, sum(resting) as of_resting,
        string_agg(tweets || ' ' || reason, '; ' order by reason) as reasons,
        0 as followed, 0 as resting
    from asked
    group by handle, day
    union all
    select handle, day, 0, 0, 0, 0, 0, 0, 0, null, tweets, resting
    from followed
),
summed as (
    select
        handle, day, sum(tweets)::bigint as asked, sum(stored)::bigint as stored, sum(partial)::bigint as partial,
        sum(set_aside)::bigint as set_aside, sum(old)::bigint as old, max(reasons) as reasons,
        (sum(resting) - sum(of_resting))::bigint as left_alone,
        (sum(followed) - sum(of_followed) - sum(resting) + sum(of_resting))::bigint as not_asked
    from counted
    group by handle, day
)
select
    handle, day, asked + left_alone + not_asked as expected, stored, partial, set_aside + left_alone as set_aside,
    asked - stored - partial - set_aside as failed, not_asked, old,
    nullif(concat_ws(
        '; ', reasons,
        case when left_alone > 0 then left_alone || ' set aside' end,
        case when not_asked > 0 then not_asked || ' not asked for' end
    ), '') as reason,
    stored + set_aside + left_alone = asked + left_alone + not_asked as trusted
from summed
