"""Responses that are lost after they were published: a rebuild keeps what was published, and invents nothing."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, observed, pulled, totals
from each_source import LONG
from histories import FIRST, IMPRESSIONS, SECOND, THIRD, forget
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tables import check_daily, contents, counts, coverage, rebuilt

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.model import Exchange, Request, Window
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts

TWEETS = (1, 2)
KEY = ENGAGEMENTS.key
WINDOWS = [Window(*days) for days in ((FIRST, FIRST), (FIRST, SECOND), (SECOND, THIRD), (FIRST, THIRD))]


@pytest.fixture
def lake(tmp_path, each_source):
    return Lake(tmp_path / "lake").of(each_source)


def published(lake, cells, hour, **further):
    """Pull some cells and publish them; return the pull."""
    pull = pulled(lake, cells, at(hour), **further)
    publish_pulls(lake)
    return pull


def logged(lake, moment):
    """Log a request that was answered."""
    asked = Request(endpoint=lake.hourly, handle="ann", tweet_ids=(1,), window=WINDOW, types=TYPES)
    request_log.write(lake, Exchange(request=asked, asked_at=moment, status=200, tries=1, size=9, seconds=0.1))


def lose_head(lake, pull):
    (lake.raw / pull.path.relative_to(lake.raw) / "pull.json").unlink()


def lose_first(_lake, pull):
    """Set one response of a pull apart, as the message about a damaged one says."""
    pull.reject(min(pull.path.glob("*.json.zst")))


def test_a_change_of_an_answer_that_the_log_alone_knows_is_not_put_down_to_the_next(lake):
    """The response is lost, and all files of revisions."""
    pulls = []
    for hour, count in enumerate((5, 7, 7, 8)):
        pulls.append(published(lake, full([1], count), hour))
        logged(lake, at(hour))
    known = contents(lake, "revisions")["revisions"]
    forget(lake, pulls[1])
    shutil.rmtree(lake.root / "revisions")
    gaps = [day.gaps for day in rebuilt(lake, "engagements")]
    assert gaps == [1, 1]
    found = contents(lake, "revisions")["revisions"]
    assert found == [row for row in known if row[4:6] == (7, 8)]


def test_an_answer_that_the_log_alone_knows_keeps_no_count_from_a_lost_file(lake):
    """Much that was answered was never published: it was rejected, or nobody could write it."""
    published(lake, full([1], 5), 1)
    logged(lake, at(2))
    published(lake, full([1], 7, types=IMPRESSIONS), 3, types=IMPRESSIONS)
    before = counts(lake)
    lake.rows(ENGAGEMENTS, FIRST).unlink()
    rebuilt(lake, "engagements")
    assert counts(lake) == before


@pytest.mark.parametrize("lose", [forget, lose_head, lose_first])
@pytest.mark.parametrize("table", ["engagements", None])
def test_a_change_of_a_lost_answer_is_not_put_down_to_the_next(lake, lose, table):
    published(lake, full([1], 5), 1)
    lost = published(lake, full([1], 8), 2)
    published(lake, full([1], 8), 3)
    before = contents(lake)
    lose(lake, lost)
    rebuilt(lake, table)
    assert contents(lake) == before


@pytest.mark.parametrize("lose", [forget, lose_first])
def test_the_newest_answer_stays_if_it_is_lost(lake, lose):
    published(lake, full([1], 5), 1)
    lost = published(lake, full([1], 8), 2)
    before = contents(lake)
    lose(lake, lost)
    assert [day.kept for day in rebuilt(lake)] == [{1: 4}] * 2
    assert contents(lake) == before


def test_a_count_of_a_lost_answer_is_not_replaced_by_an_older_one(lake):
    """The answer behind the gap has other types, so the older one seems to be the newest in raw."""
    published(lake, full([1], 5), 1)
    lost = published(lake, full([1], 8, types=IMPRESSIONS), 2, types=IMPRESSIONS)
    published(lake, full([1], 9, types=TYPES[1:]), 3, types=TYPES[1:])
    before = contents(lake)
    forget(lake, lost)
    rebuilt(lake)
    assert contents(lake) == before


def test_an_answer_that_was_not_published_revises_what_a_lost_one_left(lake):
    published(lake, full([1], 5), 1)
    lost = published(lake, full([1], 8), 2)
    pulled(lake, full([1], 9), at(3))
    forget(lake, lost)
    assert all(day.changed for day in rebuilt(lake, "engagements"))
    assert counts(lake) == full([1], 9)
    assert {row[4:8] for row in contents(lake)["revisions"]} == {(5, 8, at(1), at(2)), (8, 9, at(2), at(3))}


def test_a_count_that_may_have_been_there_before_a_gap_is_not_called_added(lake):
    lost = published(lake, full([1], 5), 1)
    published(lake, full([1], 6, types=IMPRESSIONS), 2, types=IMPRESSIONS)
    published(lake, full([1], 6), 3)
    before = contents(lake)
    forget(lake, lost)
    rebuilt(lake)
    assert contents(lake) == before


def test_a_revision_between_answers_behind_a_gap_is_found_again(lake):
    lost = published(lake, full([1], 5), 1)
    published(lake, full([1], 6), 2)
    changes = published(lake, full([1], 7), 3)
    before = contents(lake)
    forget(lake, lost)
    lake.revisions(changes).unlink()
    rebuilt(lake)
    assert contents(lake) == before


def test_what_a_damaged_file_revised_is_called_lost_where_raw_lacks_what_was_there_before(lake, caplog):
    lost = published(lake, full([1], 5), 1)
    damaged = lake.revisions(published(lake, full([1], 6), 2))
    forget(lake, lost)
    damaged.write_bytes(b"")
    rebuilt(lake)
    assert f"{damaged} was damaged, and raw lacks what was there before of up to 2 Tweet days: " in caplog.text
    assert contents(lake, "revisions") == {"revisions": []}


def test_what_a_damaged_file_revised_is_not_called_lost_if_raw_proves_it(lake, caplog):
    lost = published(lake, full([1], 5), 1)
    published(lake, full([1], 6), 2)
    damaged = lake.revisions(published(lake, full([1], 7), 3))
    before = contents(lake)
    forget(lake, lost)
    damaged.write_bytes(b"")
    rebuilt(lake)
    assert "raw lacks" not in caplog.text
    assert contents(lake) == before


def test_the_last_word_on_a_tweet_stays_if_its_response_is_lost(lake):
    published(lake, full([1], 5), 1)
    lost = published(lake, {}, 2, tweets=[1], unavailable_tweet_ids=["1"])
    before = coverage(lake, "*")
    forget(lake, lost)
    rebuilt(lake)
    assert coverage(lake, "*") == before


def test_a_lost_observation_of_a_day_is_not_replaced_by_an_earlier_one_of_it(tmp_path):
    lake = Lake(tmp_path / "lake")
    observed(lake, TOTALS, totals({(1, "favorites"): 5}), at(1), tweets=[1])
    publish_pulls(lake)
    lost = observed(lake, TOTALS, totals({(1, "favorites"): 6}), at(2), tweets=[1])
    publish_pulls(lake)
    before = contents(lake)
    lose_head(lake, lost)
    rebuilt(lake)
    assert contents(lake) == before


def test_the_report_counts_the_tweet_days_with_a_gap(lake):
    lost = published(lake, full([1, 2], 5), 1)
    published(lake, full([2, 3], 6), 2)
    forget(lake, lost)
    assert [day.gaps for day in rebuilt(lake)] == [2, 2]


# Any answers, any of them lost, any order of repair: against a model of what was published.


class Model:
    """What was published of each Tweet's day, answer by answer."""

    def __init__(self):
        self.answers = []  # when, and the cells

    def take(self, when, cells):
        self.answers.append((when, cells))

    def table(self, moment):
        """Return the cells that were published from what was pulled by a moment."""
        found = {}
        for when, cells in self.answers:
            if when <= moment:
                found |= cells
        return found

    def revisions(self):
        """Return what each answer changed of the Tweets' days that had rows."""
        found, known, pulled_at = [], {}, {}
        for when, cells in self.answers:
            before = dict(pulled_at)
            for cell, count in cells.items():
                tweet_day = cell[0], cell[2]
                if tweet_day in before and known.get(cell) != count:
                    found.append((*cell, known.get(cell), count, before[tweet_day], when, when.date()))
                known[cell] = count
                pulled_at[tweet_day] = when
        return sorted(found, key=repr)

    def times(self):
        """Return when each Tweet's day was first and last pulled."""
        found = {}
        for when, cells in self.answers:
            for tweet, _, day, _ in cells:
                found[tweet, day] = (found.get((tweet, day), (when,))[0], when)
        return found

    def settling(self):
        """Return each day's counts by age, of the Tweets pulled by then and again since, and as they are in the end."""
        times, end = self.times(), self.table(self.answers[-1][0])
        found = {}
        for age in (1, 2, 7, 28):
            for tweet, name, day, hour in end:
                over = at(0) + (day - at(0).date()) + timedelta(days=1 + age)
                first, last = times[tweet, day]
                if first <= over < last:
                    then = self.table(over).get((tweet, name, day, hour), 0)
                    key = day, name, age
                    known = found.get(key, (0, 0))
                    found[key] = known[0] + then, known[1] + end[tweet, name, day, hour]
        return found


def check(lake, model):
    """Fail where a view of the lake says another thing than the model."""
    check_daily(lake)
    with catalog.connect(lake) as connection:

        def asked(query):
            return connection.sql(query).fetchall()

        def cells(table):
            return {row[:4]: row[4] for row in asked(f'select {", ".join(KEY)}, "count" from {table}')}

        assert cells("engagements") == model.table(model.answers[-1][0])
        assert sorted(asked("from revisions"), key=repr) == model.revisions()
        times = asked("select tweet_id, day, first_pulled_at, pulled_at from coverage where pulled_at is not null")
        assert {row[:2]: row[2:] for row in times} == model.times()
        for when, _ in model.answers:
            assert cells(f"engagements_as_of(timestamptz '{when.isoformat()}')") == model.table(when)
        told = asked('select day, engagement_type, age, "count", present from settling')
        assert {row[:3]: row[3:] for row in told} == model.settling()


@st.composite
def answers(draw):
    """Make one answer: a window, some types and Tweets, and their cells with gaps."""
    window = draw(st.sampled_from(WINDOWS))
    types = draw(st.sampled_from([TYPES, TYPES[:1], TYPES[1:]]))
    tweets = draw(st.lists(st.sampled_from(TWEETS), min_size=1, unique=True))
    keys = [(t, name, day, hour) for t in tweets for name in types for day in window.days() for hour in (0, 7)]
    cells = {key: draw(st.integers(0, 2)) for key in keys if draw(st.integers(0, 3))}
    return "pull", (window, types, tweets, cells)


losses = st.tuples(st.just("lose"), st.tuples(st.integers(0, 9), st.sampled_from([forget, lose_head, lose_first])))
repairs = st.sampled_from([("rebuild", None), ("rebuild", "engagements"), ("prune", 2), ("prune", 40)])
steps = st.lists(st.one_of(answers(), losses, repairs, answers()), min_size=3, max_size=9)


def pull(lake, model, now, answer):
    """Pull and publish a response for each Tweet, a minute after each other; return the pull."""
    window, types, tweets, cells = answer
    made = begin(lake, now, window=window, types=types)
    for minute, tweet in enumerate(tweets):
        of_tweet = {cell: count for cell, count in cells.items() if cell[0] == tweet}
        land(made, of_tweet, tweets=[tweet], asked_at=now + timedelta(minutes=minute))
        model.take(now + timedelta(minutes=minute), of_tweet)
    made.marked(finished=True)
    publish_pulls(lake)
    return made


def live(lake, model, made):
    """Pull and publish, lose and repair, a day after each other; the tables say what the model says all the while."""
    pulls = []
    for day, (what, detail) in enumerate(made, start=-29):  # from the last of the days that are asked for
        now = at(5) + timedelta(days=day)
        if what == "pull":
            pulls.append(pull(lake, model, now, detail))
        elif what == "lose" and pulls:
            place, lose = detail
            lost = pulls.pop(place % len(pulls))
            if lost.path.exists():  # it was not pruned
                lose(lake, lost)
        elif what == "rebuild":
            rebuilt(lake, detail)
        elif what == "prune":
            retention.drop(lake, retention.spent(lake, before=now - timedelta(days=detail)))
        if what == "rebuild" and any(cells for _, cells in model.answers):
            check(lake, model)


LOOKS = [  # answers without a count are looks at the counts too
    ("pull", (WINDOWS[0], TYPES[:1], [1], {(1, TYPES[0], FIRST, 7): 0})),
    *[("pull", (WINDOWS[0], TYPES, [1], {}))] * 2,
]


@pytest.mark.parametrize(
    ("examples", "same"), [(3, True), pytest.param(500, False, marks=pytest.mark.faults)], ids=["short", "long"]
)
@LONG
def test_whatever_is_lost_the_tables_say_only_what_was_published(each_source, examples, same):
    made = steps.filter(lambda made: made[0][0] == "pull")
    told = given(st.just(each_source), made)(tell_what_was_published)
    settings(max_examples=examples, deadline=None, derandomize=same)(example(each_source, LOOKS)(told))()


def tell_what_was_published(source, made):
    with tempfile.TemporaryDirectory() as folder:
        lake, model = Lake(Path(folder)).of(source), Model()
        lake.home.open()
        lake.open()
        live(lake, model, [*made, ("rebuild", None)])
