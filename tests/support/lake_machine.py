"""What may happen to a lake, step after step, and what it must hold then: a model of plain dictionaries.

Any step may end in a power cut, after which a part of what it did is on the disk. The model takes the newest answer for
each count and never adds; a Tweet that is not served keeps its counts.
"""

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from bodies import TYPES, WINDOW, at, land, nothing
from histories import LATER
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from power_cuts import recorded

from engagement_pipeline.extract import landed_before, roster
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table

TWEETS = (1, 2, 3, 4)
RESUME = timedelta(days=1)
HOURS = (0, 23)

cuts = st.none() | st.none() | st.integers(0, 10**6)
windows = st.sampled_from([WINDOW, LATER])


@dataclass(frozen=True)
class Answer:
    """A response that was landed: in which pull, which was begun when, and what it says of its Tweets."""

    begun: datetime
    asked_at: datetime
    days: tuple
    cells: dict
    unserved: frozenset
    tweets: tuple


class Model:
    """What the tables must hold."""

    def __init__(self):
        self.counts = {}  # by Tweet, type, day and hour
        self.pulled = {}  # when a Tweet's day was stored last
        self.words = {}  # when a Tweet's day was answered for last, and with what outcome
        self.revisions = Counter()
        self.taken = set()  # names of answers

    def take(self, answers):
        """Take what has landed: pull by pull in the order in which they were begun, the newest of a Tweet in each."""
        pulls = {}
        for name, answer in sorted(answers.items(), key=lambda item: (item[1].begun, item[1].asked_at)):
            for tweet in answer.tweets:
                pulls.setdefault((answer.begun, answer.days), {})[tweet] = (name, answer)
        for newest in pulls.values():
            for tweet, (name, answer) in newest.items():
                if (name, tweet) not in self.taken:
                    self.taken.add((name, tweet))
                    for day in answer.days:
                        self._take_day(tweet, day, answer)

    def _take_day(self, tweet, day, answer):
        known = self.pulled.get((tweet, day))
        cells = {cell: count for cell, count in answer.cells.items() if cell[0] == tweet and cell[2] == day}
        if known is None or answer.asked_at > known:
            for cell, count in cells.items():
                if known is not None and self.counts.get(cell) != count:
                    self.revisions[(*cell, self.counts.get(cell), count)] += 1
                self.counts[cell] = count
            if cells:
                self.pulled[tweet, day] = answer.asked_at
        outcome = "unavailable" if tweet in answer.unserved else "stored" if cells else "missing from the response"
        self.words[tweet, day] = max(self.words.get((tweet, day), (at(0), "")), (answer.asked_at, outcome))


class LakeMachine(RuleBasedStateMachine):
    """The lake of a source, and its model."""

    def __init__(self, source):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.lakes = 0
        self.lake = Lake(self.folder / "lake").of(source)
        self.lake.home.open()
        self.lake.open()
        self.now = at(0)
        self.answers, self.model = {}, Model()
        self.followed, self.ever = {1, 2}, {1, 2}
        self._save_roster(None)

    def teardown(self):
        try:
            self.publish(None)
            self.rebuild(None)
            self.publish(None)
        finally:
            shutil.rmtree(self.folder)

    def _do(self, what, cut):
        """Do it, and tell whether the power stayed on."""
        if cut is None:
            what(self.lake)
            return True
        before = self.lake.home.root
        with recorded(before) as recording:
            what(self.lake)
        left = recording.cuts()
        if not left:
            return True
        self.lakes += 1
        restored = recording.restore(left[cut % len(left)], self.folder / f"lake {self.lakes}")
        self.lake = Lake(restored).of(self.lake.source)
        shutil.rmtree(before)
        return False

    @rule(passed=st.sampled_from([timedelta(minutes=1), timedelta(hours=5), timedelta(days=2)]))
    def clock(self, passed):
        self.now += passed

    @rule(followed=st.sets(st.sampled_from(TWEETS), min_size=1), cut=cuts)
    def roster(self, followed, cut):
        before = self.followed, self.ever
        self.followed, self.ever = followed, self.ever | followed
        if not self._save_roster(cut) and self._roster() != (self.followed, self.ever):
            self.followed, self.ever = before
        assert self._roster() == (self.followed, self.ever)

    def _save_roster(self, cut):
        file = self.folder / "roster.csv"
        file.write_text("tweet_id,handle\n" + "".join(f"{tweet},ann\n" for tweet in sorted(self.followed)))
        loaded = roster.load(str(file), handles={"ann"})
        return self._do(lambda lake: roster.save_roster(lake.home, loaded), cut)

    def _roster(self):
        rows = pq.read_table(self.lake.tweets).to_pylist()
        return {row["tweet_id"] for row in rows if row["followed"]}, {row["tweet_id"] for row in rows}

    @rule(data=st.data(), window=windows, finished=st.booleans(), cut=cuts)
    def pull(self, data, window, finished, cut):
        """Ask for what is followed, one response a Tweet or two; if not to the end, some are left for the next."""
        for left in raw.open_pulls(self.lake):
            assert not left.finished or not [*left.unsettled()]
            landed_before.settle(left)
        self.now += timedelta(minutes=1)
        pull = raw.begin(self.lake, nothing(window, endpoint=self.lake.hourly), now=self.now, resume=RESUME)
        have = {tweet for landed in pull.landed() for tweet in landed.request.tweet_ids}
        left = sorted(self.followed - have)
        size = data.draw(st.integers(1, 2))
        parts = [left[place : place + size] for place in range(0, len(left), size)]
        for number, tweets in enumerate(parts[: None if finished else -1]):
            self.now += timedelta(seconds=1)
            answer = self._answer(data, pull, window, tweets)
            last = number == len(parts) - 1

            def landing(lake, answer=answer, tweets=tweets, pull_path=pull.path, last=last):
                (here,) = (each for each in raw.open_pulls(lake) if each.path == pull_path)
                unserved = [str(tweet) for tweet in answer.unserved]
                path = land(here, answer.cells, tweets=tweets, asked_at=answer.asked_at, unavailable_tweet_ids=unserved)
                self.answers[path.relative_to(lake.root).as_posix()] = answer
                if last:
                    here.marked(finished=True)

            if not self._do(landing, cut if last else None):
                return

    def _answer(self, data, pull, window, tweets):
        """Make what the API says now: not of each hour, and not of each Tweet."""
        unserved = frozenset(data.draw(st.sets(st.sampled_from(tweets)))) if data.draw(st.booleans()) else frozenset()
        hours = data.draw(st.sampled_from([HOURS, HOURS[:1], ()]))
        count = data.draw(st.integers(0, 2))
        cells = {
            (tweet, name, day, hour): count
            for tweet in tweets
            if tweet not in unserved
            for name in TYPES
            for day in window.days()
            for hour in hours
        }
        return Answer(pull.started_at, self.now, tuple(window.days()), cells, unserved, tuple(tweets))

    @rule(cut=cuts)
    def publish(self, cut):
        if self._do(publish_pulls, cut):
            self._take()
            self._check()

    @rule(cut=cuts)
    def rebuild(self, cut):
        if self._do(lambda lake: rebuild_table(lake, lake.hourly), cut):
            self._take()

    @rule(age=st.sampled_from([timedelta(0), timedelta(days=3)]), cut=cuts)
    def prune(self, age, cut):
        """Only what is published goes."""
        self._do(lambda lake: retention.drop(lake, retention.spent(lake, before=self.now - age)), cut)

    def _take(self):
        self.model.take({name: answer for name, answer in self.answers.items() if (self.lake.root / name).exists()})

    def _check(self):
        """Compare the tables with the model."""
        names = ("tweet_id", "engagement_type", "day", "hour")
        found = Counter((*(row[name] for name in names), row["count"]) for row in self._rows("engagements/day=*/*"))
        assert found == Counter((*cell, count) for cell, count in self.model.counts.items())
        sums = Counter()
        for (tweet, name, day, _), count in self.model.counts.items():
            sums[tweet, name, day] += count
        daily = [(*(row[name] for name in names[:3]), row["count"]) for row in self._rows("daily/*")]
        assert sorted(daily) == sorted((*key, total) for key, total in sums.items())
        revised = Counter(
            (*(row[name] for name in names), row["old"], row["new"]) for row in self._rows("revisions/*/*")
        )
        assert revised == self.model.revisions
        told = {(row["tweet_id"], row["day"]): row["outcome"] for row in self._rows("coverage/*/*/*")}
        assert told == {key: outcome for key, (_, outcome) in self.model.words.items()}

    def _rows(self, pattern):
        paths = self.lake.root.glob(f"{pattern}.parquet")
        files = [pq.read_table(path, partitioning=None) for path in paths]
        names = ["day" if name == "date" else name for file in files[:1] for name in file.column_names]
        return [row for file in files for row in file.rename_columns(names).to_pylist()]
