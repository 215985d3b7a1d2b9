-- One row a Tweet, engagement type and UTC day: the hours summed.
select tweet_id, engagement_type, day, sum("count")::bigint as "count"
from engagements
group by tweet_id, engagement_type, day
