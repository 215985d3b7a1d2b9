-- One row a Tweet, engagement type, UTC day and hour: from /historical, or from /28hr if /historical has none yet.
select tweet_id, engagement_type, day, hour, "count", false as provisional, false as partial
from engagements
union all
select tweet_id, engagement_type, day, hour, "count", true as provisional, partial
from recent
anti join (select * from engagements where day >= (select min(day) from recent))
    using (tweet_id, engagement_type, day, hour)
