-- One row a UTC month and handle: contracts count them. Whose the Tweets without a handle are, the API does not say.
select date_trunc('month', asked_at at time zone 'UTC')::date as month, handle, count(*) as requests
from requests
where status in (200, 400, 403) and handle is not null
group by month, handle
