-- One row is a UTC month and a handle that was asked for in it.
-- Contracts of the Engagement API count these handles; requests to X API v2 are not among them. Tweets of others have
-- no handle and do not count. monthly_spend tells how many are left. The key is month and handle.
--   month  The first day of the UTC month.
--   handle  The account that was asked for.
--   requests  How many requests were answered for it.
select date_trunc('month', asked_at at time zone 'UTC')::date as month, handle, count(*) as requests
from requests
where status in (200, 400, 403) and handle is not null and endpoint in ('totals', '28hr', 'historical')
group by month, handle
