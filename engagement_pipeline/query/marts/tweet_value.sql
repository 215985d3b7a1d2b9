-- One row is a Tweet and an engagement type.
-- It tells what the Tweet had come to at an age. NULL means that it is too young, or that an hour until then lacks its
-- count.
-- A day is 24 UTC hours here, from the hour of posting on.
-- The key is tweet_id and engagement_type.
--   tweet_id  The Tweet. Text in JSON and JavaScript, which round such numbers.
--   engagement_type  What was counted, under the API's own name. The view metrics says what each means.
--   handle  The account that owns the Tweet.
--   posted_at  When it was posted.
--   posted_on  The UTC day on which it was posted.
--   after_1_day  How often it had happened after 24 hours.
--   after_7_days  How often it had happened after 168 hours.
--   after_28_days  How often it had happened after 672 hours.
--   half_life_hours  After how many hours it had first come to half of after_28_days; NULL unless that is above zero.
with aged as (
    select
        *,
        max(case when age_hours = 671 then cumulative end) over (
            partition by tweet_id, engagement_type, handle, posted_at, posted_on
        ) as whole
    from tweet_age
)
select
    tweet_id, engagement_type, handle, posted_at, posted_on,
    max(cumulative) filter (age_hours = 23) as after_1_day,
    max(cumulative) filter (age_hours = 167) as after_7_days,
    max(cumulative) filter (age_hours = 671) as after_28_days,
    min(age_hours) filter (whole > 0 and cumulative * 2 >= whole) + 1 as half_life_hours
from aged
group by tweet_id, engagement_type, handle, posted_at, posted_on
