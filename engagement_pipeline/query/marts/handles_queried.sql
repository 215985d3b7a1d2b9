-- One row is a UTC month and a handle that was asked for in it.
-- Contracts of the Engagement API count these handles; requests to X API v2 are not among them. Tweets of others have
-- no handle and do not count. The key is month and handle.
--   month  The first day of the UTC month.
--   handle  The account that was asked for.
--   requests  How many requests were answered for it.
--   handles  How many handles were asked for in the month.
--   handles_per_month  How many the contract allows in a month: the setting handles_per_month, as it was last set in that
--                      month. NULL if it was not.
--   handles_left  handles_per_month less handles. Below zero, the month went beyond the contract.
with contracts as (
    select
        date_trunc('month', asked_at at time zone 'UTC')::date as month,
        arg_max(handles_per_month, asked_at)::bigint as handles_per_month
    from requests
    group by month
),
queried as (
    select date_trunc('month', asked_at at time zone 'UTC')::date as month, handle, count(*) as requests
    from requests
    where status in (200, 400, 403) and handle is not null and endpoint in ('totals', '28hr', 'historical')
    group by month, handle
)
select
    month, handle, requests, count(*) over of_month as handles, handles_per_month,
    handles_per_month - count(*) over of_month as handles_left
from queried
join contracts using (month)
window of_month as (partition by month)
