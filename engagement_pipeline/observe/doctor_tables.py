"""Do the tables agree with one another and with raw? The doctor's checks of rows, sums, coverage and lists.

In: a Patient. Out: Findings. Days that follow one another and have the same fault are one finding.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.days import month_ends, spans
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.rows import TIMESTAMP
from engagement_pipeline.core.table import Merge
from engagement_pipeline.core.tables import (
    COVERAGE,
    DAILY,
    ENGAGEMENTS,
    FORBIDDEN,
    LOST,
    PROTECTED,
    RECENT,
    REQUESTS,
    REVISIONS,
    SET_ASIDE,
    TWEETS,
    UNAVAILABLE,
)
from engagement_pipeline.lake import inventory
from engagement_pipeline.lake.parquet import OF_OTHER_DAYS
from engagement_pipeline.observe.doctor_files import stamp_of
from engagement_pipeline.observe.looks import day_of
from engagement_pipeline.observe.patient import Finding, apart, pull_again, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.observe.looks import Covered, Look
    from engagement_pipeline.observe.patient import Patient

BACKUP = ", and a backup may have more than this brings back"
NOT_SERVED = (UNAVAILABLE, PROTECTED, FORBIDDEN)


def _by_day(patient: Patient) -> list[Endpoint]:
    """Return the endpoints of the lake with a file of rows for each day."""
    return [endpoint for endpoint in patient.lake.endpoints if endpoint.table.merge is not Merge.LATEST]


def damaged(patient: Patient) -> Iterator[Finding]:
    """Find files of tables that cannot be read, or have other columns than their table."""
    for look in patient.looks.values():
        if look.problem:
            meaning, fix = _mend_file(patient, look)
            come_to = "find rows twice" if look.problem == OF_OTHER_DAYS else "fail"
            meaning = f"queries over {look.table} {come_to}{meaning}"
            yield Finding(path=look.path, what=f"{look.path} is damaged ({look.problem})", meaning=meaning, fix=fix)


def missing_rows(patient: Patient) -> Iterator[Finding]:
    """Find days of which the coverage tells of rows, and there is no file."""
    for endpoint in _by_day(patient):
        there = {day_of(entry.path) for entry in patient.inventory.of(endpoint.table)}
        lacking = {
            day: covered.rows
            for (of, day), covered in patient.covered.items()
            if of is endpoint and covered.rows and day not in there
        }
        for first, last in spans(lacking):
            rows = sum(number for day, number in lacking.items() if first <= day <= last)
            path, meaning = patient.lake.rows(endpoint.table, first), f"{rows:,} rows answer no query"
            yield _of_days(patient, endpoint, (first, last), path=path, what="is missing", meaning=meaning)
    table = RECENT
    newest = max((day for endpoint, day in patient.covered if endpoint.table is table), default=None)
    if newest and not patient.inventory.of(table) and any(p.endpoint.table is table for p in patient.pulls.values()):
        path = patient.lake.rows(table, newest)
        yield Finding(
            path=path,
            what=f"{path} is missing",
            meaning="the last hours answer no query",
            fix=f"engagement rebuild --table {table}",
        )


def missing_coverage(patient: Patient) -> Iterator[Finding]:
    """Find days with rows, or with a published pull in raw, of which there is no coverage."""
    there = defaultdict(set)
    for entry in patient.inventory.of(COVERAGE):
        there[entry.path.parents[1].name].add(day_of(entry.path))
    for endpoint in patient.lake.endpoints:
        days = {day for pull, _ in patient.published(endpoint) for day in pull.days()}
        days |= patient.rows(endpoint.table).keys() if endpoint in _by_day(patient) else set()
        for first, last in spans(days - there[f"endpoint={endpoint}"]):
            path = patient.lake.coverage(endpoint, first)
            meaning = "nobody can tell what was asked for, and why a count is not there"
            yield _of_days(patient, endpoint, (first, last), path=path, what="is missing", meaning=meaning)


def rows_apart(patient: Patient) -> Iterator[Finding]:
    """Find days of which the file has other rows than the coverage tells of."""
    for endpoint in _by_day(patient):
        stored = {day: look.rows for day, look in patient.rows(endpoint.table).items()}
        told = {day: covered.rows for (of, day), covered in patient.covered.items() if of is endpoint}
        for first, last in spans(day for day in stored.keys() & told.keys() if stored[day] != told[day]):
            has, published = (sum(n for day, n in of.items() if first <= day <= last) for of in (stored, told))
            path, meaning = patient.lake.rows(endpoint.table, first), f"its coverage tells of {published:,} rows"
            what = f"has {has:,} rows"
            yield _of_days(patient, endpoint, (first, last), path=path, what=what, meaning=meaning)


def older_copies(patient: Patient) -> Iterator[Finding]:
    """Find days of which the file, or the coverage, is older than the other or than raw: one put back from a backup."""
    for endpoint in patient.lake.endpoints:
        stored = patient.rows(endpoint.table) if endpoint in _by_day(patient) else {}
        told = {day: covered for (of, day), covered in patient.covered.items() if of is endpoint}
        as_many = [day for day in stored.keys() & told.keys() if stored[day].rows == told[day].rows]
        of_two_times = {day for day in as_many if not _of_one_time(stored[day], told[day], day)}
        for first, last in spans(of_two_times):
            path, what = patient.lake.rows(endpoint.table, first), "and its coverage are not of the same time"
            meaning = "an older copy of one was put back, so that the counts or the times of the pulls are wrong"
            yield _of_days(patient, endpoint, (first, last), path=path, what=what, meaning=meaning)
        for first, last in spans(_behind_raw(patient, endpoint, told) - of_two_times):
            path, what = patient.lake.coverage(endpoint, first), "is older than responses in raw that are published"
            meaning = "an older copy was put back, and it tells nothing of the newest answers"
            yield _of_days(patient, endpoint, (first, last), path=path, what=what, meaning=meaning)


def _of_one_time(look: Look, covered: Covered, day: date) -> bool:
    """Tell whether a day's rows sum to what its coverage tells, or of a snapshot were observed when it tells."""
    if look.table is ENGAGEMENTS:
        return covered.total is None or look.sums.get(day, 0) == covered.total
    return look.observed_at == covered.pulled_at


def _behind_raw(patient: Patient, endpoint: Endpoint, told: Mapping[date, Covered]) -> set[date]:
    """Return the days of which the coverage tells of an older request for a Tweet than a published pull has."""
    found = set()
    for pull, paths in patient.published(endpoint):
        newest = max(paths, key=stamp_of)
        tweet, asked_at = int(newest.name.split("-")[1]), pa.scalar(stamp_of(newest), TIMESTAMP)
        for day in told.keys() & {*pull.days()}:
            outcomes = told[day].outcomes
            known = outcomes.filter(pc.equal(outcomes["tweet_id"], tweet))["asked_at"]
            found |= {day} if pc.any(pc.less(known, asked_at)).as_py() else set()
    return found


def sums_apart(patient: Patient) -> Iterator[Finding]:
    """Find days that do not sum up to what `daily` has of them, and months that have no file."""
    of_rows = {day: look.sums.get(day, 0) for day, look in patient.rows(ENGAGEMENTS).items() if look.rows}
    of_days: dict[date, int] = {}
    for look in patient.of_table(DAILY):
        of_days |= look.sums
    files = {look.path: look for look in patient.of_table(DAILY)}
    apart_days = defaultdict(list)
    for day in of_rows.keys() | of_days.keys():
        if of_rows.get(day) != of_days.get(day):
            apart_days[patient.lake.daily(day)].append(day)
    for path, days in sorted(apart_days.items()):
        if path not in files:
            meaning = "its days answer no query about days"
            yield Finding(path=path, what=f"{path} is missing", meaning=meaning, fix=_of_month(min(days)))
            continue
        hourly = patient.lake.hourly
        gone = [day for day in days if day not in of_rows and not _told(patient, day)]
        asked = [day for day in gone if not patient.in_raw(hourly, day)]
        made = {day for day in days if day in of_rows} | ({*gone} - {*asked})
        if not files[path].problem:
            yield from _apart(path, made, partial(_rebuild, patient, hourly))
            yield from _apart(path, asked, partial(pull_again, patient))


def lost(patient: Patient) -> Iterator[Finding]:
    """Find days with rows that a rebuild has found to be lost, and that can still be pulled."""
    oldest = patient.settings.oldest_day()
    found = {}
    for (endpoint, day), covered in patient.covered.items():
        if endpoint is patient.lake.hourly and day >= oldest:
            tweets = covered.outcomes.filter(pc.equal(covered.outcomes["outcome"], LOST))["tweet_id"]
            found[day] = pc.sum(pc.is_in(tweets, patient.followed)).as_py() or 0
    for first, last in spans(day for day, number in found.items() if number):
        path = patient.lake.coverage(patient.lake.hourly, first)
        yield Finding(
            path=path,
            what=f"{path} says that rows are lost, {_days(first, last)}",
            meaning="only damaged or missing files held them",
            fix=pull_again(patient, first, last),
        )


def lists(patient: Patient) -> Iterator[Finding]:
    """Find that the list of the Tweets, or of those set aside, is missing, or a month of the log of requests."""
    lake, there = patient.lake, patient.inventory
    if not there.of(TWEETS) and patient.covered and not patient.home:
        meaning = "no view tells whose Tweets they are; those that left the roster come only from a backup"
        yield Finding(path=lake.tweets, what=f"{lake.tweets} is missing", meaning=meaning, fix="engagement pull")
    if not there.of(SET_ASIDE) and _refused(patient):
        meaning = "the next pulls ask again for the Tweets that the API does not serve, and list them again"
        yield Finding(path=lake.set_aside, what=f"{lake.set_aside} is missing", meaning=meaning, fix="engagement pull")
    logged = {entry.path.stem for entry in there.of(REQUESTS)}
    asked = {f"{stamp_of(entry.path):%Y-%m}" for entry in there.of(inventory.RESPONSE)}
    for month in sorted(asked - logged):
        path = lake.requests / f"{month}.jsonl"
        yield Finding(
            path=path,
            what=f"{path} is missing, and responses in raw are of that month",
            meaning="its requests are counted nowhere; only a backup has them, and an empty log says that you know",
            fix=f"mkdir -p {quoted(lake.requests)} && touch {quoted(path)}",
        )


def _refused(patient: Patient) -> bool:
    """Tell whether the newest word on any Tweet is that the API does not serve it."""
    outcomes = [covered.outcomes for covered in patient.covered.values()]
    if not outcomes:
        return False
    words = pa.concat_tables(outcomes).unify_dictionaries()
    bad = pc.is_in(words["outcome"].cast(pa.string()), pa.array(NOT_SERVED))
    if not pc.any(bad).as_py():
        return False
    times = words.select(["tweet_id", "asked_at"])
    newest = times.group_by("tweet_id").aggregate([("asked_at", "max")])
    refused = times.filter(bad).group_by("tweet_id").aggregate([("asked_at", "max")])
    return bool(refused.join(newest, ["tweet_id", "asked_at_max"], join_type="inner").num_rows)


def _told(patient: Patient, day: date) -> bool:
    """Tell whether the coverage of a day of hours tells of rows."""
    covered = patient.covered.get((patient.lake.hourly, day))
    return bool(covered and covered.rows)


def _apart(path: Path, days: Iterable[date], mend: Callable[[date, date], str]) -> Iterator[Finding]:
    for first, last in spans(days):
        yield Finding(
            path=path,
            what=f"{path} and the rows of {_days(first, last)} do not agree",
            meaning="a question about days and one about hours get different answers",
            fix=mend(first, last),
        )


def _of_days(
    patient: Patient, endpoint: Endpoint, days: tuple[date, date], *, path: Path, what: str, meaning: str
) -> Finding:
    """Return what is wrong with a file of each of these days; `path` is the first."""
    first, last = days
    remark, fix = _mend(patient, endpoint, first, last)
    more = f", and of each day to {last}" if first < last else ""
    return Finding(path=path, what=f"{path} {what}{more}", meaning=meaning + remark, fix=fix)


def _mend_file(patient: Patient, look: Look) -> tuple[str, str]:
    """Return a remark and the command that mends a damaged file."""
    lake, path, table = patient.lake, look.path, look.table
    if table is DAILY:
        return "", _of_month(date.fromisoformat(f"{path.stem}-01"))
    if table is REVISIONS:
        window, _, started = path.stem.rpartition("_")
        in_raw = lake.raw / lake.hourly.name / window / started in patient.pulls
        return ("", "engagement rebuild") if in_raw else (BACKUP, apart(patient, path))
    if table in (TWEETS, SET_ASIDE):
        return BACKUP, f"{apart(patient, path)} && engagement pull"
    filled = {endpoint.table: endpoint for endpoint in lake.endpoints}
    endpoint = filled[table] if table in filled else ENDPOINTS[path.parents[1].name.partition("=")[2]]
    day = day_of(path)
    if day is None:
        return "", _rebuild(patient, endpoint, date.min, date.max)
    remark, fix = _mend(patient, endpoint, day, day)
    return remark, f"{apart(patient, path)} && {fix}" if remark else fix


def _mend(patient: Patient, endpoint: Endpoint, first: date, last: date) -> tuple[str, str]:
    """Return a remark and the command that makes days anew: from raw, and what raw does not hold from the API."""
    days = (first + timedelta(days=place) for place in range((last - first).days + 1))
    fix = _rebuild(patient, endpoint, first, last)
    if all(patient.in_raw(endpoint, day) for day in days):
        return "", fix
    asked = endpoint is patient.lake.hourly and first >= patient.settings.oldest_day()
    return BACKUP, f"{fix}; {pull_again(patient, first, last)}" if asked else fix


def _rebuild(patient: Patient, endpoint: Endpoint, first: date, last: date) -> str:
    """Return the command that makes days from raw; whole months where the file of a month is no help."""
    table = endpoint.table
    if table.merge is Merge.LATEST:
        return f"engagement rebuild --table {table}"
    sound = {look.path for look in patient.of_table(DAILY) if not look.problem}
    if table is ENGAGEMENTS and not {patient.lake.daily(first), patient.lake.daily(last)} <= sound:
        first, last = first.replace(day=1), month_ends(last)
    return f"engagement rebuild --table {table} --from {first} --to {last}"


def _of_month(day: date) -> str:
    return f"engagement rebuild --table {ENGAGEMENTS} --from {day.replace(day=1)} --to {month_ends(day)}"


def _days(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"
