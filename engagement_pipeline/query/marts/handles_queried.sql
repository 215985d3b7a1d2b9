-- One row a UTC month and handle, because contracts count them. Tweets of others have no handle and do not count.
select date_trunc('month', asked_at at time zone 'UTC')::date as month, handle, count(*) as requests
from requests
where status in (200, 400, 403) and handle is not null
group by month, handle
