-- One row a Tweet, engagement type, UTC day and hour: what /historical has, and /28hr where it has nothing yet.
select tweet_id, engagement_type, day, hour, "count", false as provisional, false as partial
from engagements
union all
select tweet_id, engagement_type, day, hour, "count", true as provisional, partial
from recent
anti join (select * from engagements where day >= (select min(day) from recent))
    using (tweet_id, engagement_type, day, hour)
