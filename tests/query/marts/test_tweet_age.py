"""tweet_age and tweet_value: what Tweets had come to at the same age."""

from datetime import timedelta

import pytest
import traps
from traps import BEFORE, GONE, LATE, OLD, REVOKED, YOUNG, midnight, posted_at

VALUES = {"after_1_day": 24, "after_7_days": 168, "after_28_days": 672}


@pytest.fixture(scope="module")
def lives(trapped):
    """{(tweet, type): {age in hours: count}} of the first 28 days."""
    found = {}
    for (tweet_id, name), counts in traps.hours_of(trapped).items():
        posted = posted_at(tweet_id).replace(minute=0)
        ages = {int((moment - posted).total_seconds()) // 3600: n for moment, n in counts.items()}
        found[tweet_id, name] = {age: n for age, n in ages.items() if age < 672}
    return found


@pytest.fixture(scope="module")
def ages(trapped):
    return {(r["tweet_id"], r["engagement_type"], r["age_hours"]): r for r in traps.rows(trapped, "from tweet_age")}


@pytest.fixture(scope="module")
def values(trapped):
    return {(r["tweet_id"], r["engagement_type"]): r for r in traps.rows(trapped, "from tweet_value")}


def until(life, hours):
    """Return what a life had come to after so many hours; None where one of them has no count."""
    return sum(life[age] for age in range(hours)) if all(age in life for age in range(hours)) else None


def test_each_hour_of_the_first_28_days_with_a_count_has_a_row(lives, ages):
    assert {key: row["count"] for key, row in ages.items()} == {
        (*key, age): n for key, life in lives.items() for age, n in life.items()
    }


def test_what_it_had_come_to_is_null_from_the_first_hour_without_a_count(lives, ages):
    for (tweet_id, name, age), row in ages.items():
        if age % 37 == 0 or age == 671:  # some of all, for speed
            assert row["cumulative"] == until(lives[tweet_id, name], age + 1)
            assert row["covered"] == (row["cumulative"] is not None)


def test_the_first_hour_is_that_of_posting(ages):
    row = ages[LATE, "impressions", 0]
    assert row["hour_at"] == posted_at(LATE).replace(minute=0)
    assert ages[OLD, "impressions", 24]["hour_at"] == posted_at(OLD).replace(minute=0) + timedelta(days=1)


def test_a_value_after_some_days_is_null_for_a_tweet_that_is_too_young_or_not_covered(lives, values):
    for key, row in values.items():
        assert {name: row[name] for name in VALUES} == {n: until(lives[key], hours) for n, hours in VALUES.items()}
    known = {tweet_id: [name for name in VALUES if values[tweet_id, "impressions"][name]] for tweet_id, _ in values}
    assert known == {
        OLD: [*VALUES],
        GONE: [*VALUES],
        LATE: ["after_1_day", "after_7_days"],  # on REVOKED it was 21 days old
        YOUNG: ["after_1_day", "after_7_days"],
        BEFORE: [],
    }


def test_an_hour_that_was_not_over_when_it_was_asked_for_does_not_count(trapped, ages):
    """YOUNG's last day was pulled at noon, and an answer may hold a part of an hour."""
    last = [row for (tweet_id, _, _), row in ages.items() if tweet_id == YOUNG]
    assert max(row["hour_at"] for row in last if row["covered"]) == midnight(traps.LAST) + timedelta(hours=11)


def test_the_half_life_is_when_half_of_the_value_after_28_days_was_first_reached(lives, values):
    for key, row in values.items():
        half, so_far = row["half_life_hours"], 0
        if not row["after_28_days"]:
            assert half is None
            continue
        for age in range(672):
            so_far += lives[key][age]
            if 2 * so_far >= row["after_28_days"]:
                assert half == age + 1
                break


def test_a_hole_in_the_days_makes_later_values_null_and_not_lower(ages):
    after = int((midnight(REVOKED) - posted_at(LATE).replace(minute=0)).total_seconds()) // 3600 + 24
    row = ages[LATE, "impressions", after]
    assert (row["cumulative"], row["covered"]) == (None, False)
