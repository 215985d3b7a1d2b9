"""What the command line prints and asks for: plans, outcomes, tables, a PIN.

In: reports of the pipeline and Arrow tables. Out: text on standard output. What the API or the roster brought along
commands no terminal: there, control characters are written as escapes. The CSV and Parquet of a file hold them
unchanged.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from datetime import timedelta
from getpass import getpass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from engagement_pipeline.cli import json_rows
from engagement_pipeline.cli.failures import on_terminal
from engagement_pipeline.cli.grid import SHOWN_ROWS, Rows
from engagement_pipeline.cli.json_rows import as_json, json_text
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.orchestration import SHOWN_WITHIN
from engagement_pipeline.core.redaction import printable, redacted, shown
from engagement_pipeline.core.words import counted, first_few
from engagement_pipeline.extract.plan_text import plan_lines, spend_lines
from engagement_pipeline.lake.forgotten import REASON
from engagement_pipeline.lake.layout import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engagement_pipeline.extract.account_check import Finding
    from engagement_pipeline.extract.prepare import Prepared
    from engagement_pipeline.extract.puller import PullReport
    from engagement_pipeline.extract.roster_sync import Estimate
    from engagement_pipeline.extract.roster_synced import Merged
    from engagement_pipeline.pipeline import Outcome
    from engagement_pipeline.publish.rebuild import Rebuilt
    from engagement_pipeline.publish.retention import Spent
    from engagement_pipeline.publish.upgrade import Upgraded

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")  # how a text begins that a spreadsheet runs
SHOWN_TWEETS = 3  # of each reason
IDS = re.compile(r"\d{6,}(\W{1,3}\d{6,})*")  # in a text of the API; shorter numbers are statuses, for example


def _say(text: str = "") -> None:
    print(on_terminal(redacted(text)))


def _show_page(url: str, handle: str) -> None:
    """Print the address of a page whole: it names the client ID, which is masked elsewhere and no secret in it."""
    _say(f"Open this page, logged in as {handle}, and let the app in:")
    print(f"  {on_terminal(url)}")


def ask_pin(url: str, *, handle: str) -> str:
    """Print the address of the page with the PIN; return what the user types, or nothing if input ends."""
    _show_page(url, handle)
    try:
        return input("PIN: ")
    except (EOFError, UnicodeDecodeError):
        _say()
        return ""


def ask_code(url: str, *, handle: str) -> str:
    """Print the address of the page that leads to a code; return what the user pastes, or nothing if input ends."""
    _show_page(url, handle)
    _say("The browser then lands on an address of this machine, where nothing answers. Copy that whole address.")
    try:
        return input("Address: ")
    except (EOFError, UnicodeDecodeError):
        _say()
        return ""


def ask(question: str, *, hidden: bool = False) -> str:
    """Print a question, and return what the user types, unseen where it is `hidden`. Raises EOFError if input ends."""
    try:
        return getpass(f"{question}: ") if hidden else input(f"{question}: ")
    except UnicodeDecodeError:
        return ""


def show_settings(values: Mapping[str, tuple[Any, str]], *, as_json: bool) -> None:
    """Print each setting with where it is set and its value, which is as JSON has it."""
    if as_json:
        told = (f'"{key}": {json_text({"value": value, "from": origin})}' for key, (value, origin) in values.items())
        print("{" + ",\n ".join(told) + "}")
        return
    wide = max(len(origin) for _, origin in values.values())
    widest = max(map(len, values))
    for key, (value, origin) in values.items():
        text = " ".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else value
        _say(f"{key:<{widest}} {origin:<{wide}}  {'(not set)' if value is None else text}")


def show_findings(findings: list[Finding]) -> None:
    """Print one line for each account; a failure that several share is told once."""
    first: dict[str, str] = {}
    for finding in findings:
        name = finding.handle or "(bearer token)"
        teller = first.setdefault(finding.text, name)
        is_told = finding.works is False and teller != name
        _say(f"{name:<16} {f'the same as {teller}' if is_told else finding.text}")


def show_estimates(estimates: Sequence[Estimate], *, price: float | None) -> None:
    """Print how many Posts a sync reads for each handle, and what all cost in dollars at a `price` of the vendor's."""
    for each in estimates:
        since = f"since Tweet {each.since}" if each.since else "all that its timeline shows"
        about = f"about {each.likely:,}, " if each.since else ""
        _say(f"{each.handle:<16} {about}at most {counted(each.most, 'read')}: {since}")
    likely, most = (sum(getattr(each, name) for each in estimates) for name in ("likely", "most"))
    about = f"about {likely:,}, " if likely < most else ""
    _say(f"in all {about}at most {counted(most, 'read')}")
    if price is None:
        return
    about = f"about ${likely * price:,.2f}, " if likely < most else ""
    _say(f"where reads are billed: {about}at most ${most * price:,.2f}, at ${price:g} for an own Tweet")


def show_merged(merged: Merged) -> None:
    """Print how many Tweets of a handle the roster has gained."""
    new = f"{counted(merged.new, 'new Tweet')}" if merged.new else "no new Tweet"
    _say(f"{merged.handle}: {new}; {counted(merged.tweets, 'Tweet')} in {merged.path}")
    if merged.left_out:
        _say(f"  left out: {counted(merged.left_out, 'Tweet')} {REASON}")


def show_plan(prepared: Sequence[Prepared]) -> None:
    """Print what a pull will do, and what the month has left then."""
    for each in prepared:
        _say("\n".join(plan_lines(each)))
    show_spend(spend_lines(prepared))


def show_spend(lines: Sequence[str]) -> None:
    """Print what the month has used, and what is left."""
    _say("\n".join(lines))


def show_outcome(outcome: Outcome) -> None:
    """Print the outcome of a pull: the requests, and for each window the sum of its Tweets."""
    if not outcome.failure:
        _show_answers(outcome.reports)
    for publication in outcome.publications:
        stored, aside, unanswered = len(publication.stored), publication.set_aside, publication.unanswered
        _say(
            f"{publication.pull}: {counted(publication.requested, publication.pull.endpoint.unit)} asked for = "
            f"{stored:,} stored + {len(aside):,} set aside"
            + (f" + {len(unanswered):,} unanswered" if unanswered else "")
        )
        if publication.revised:
            _say(f"  {counted(publication.revised, 'count')} revised: see the view revisions")
        if publication.early:
            _say(f"  {counted(publication.early, 'row')} of hours before their Tweet was posted, and not zero")
        for reason, tweets in sorted(_by_reason(aside | unanswered).items()):
            _say(f"  {reason}: {first_few(tweets, SHOWN_TWEETS)}")


def _show_answers(reports: Sequence[PullReport]) -> None:
    """Print how many requests were answered, and what was unusual about the answers."""
    answered, planned, rejected, negative, early = (
        sum(getattr(report, name) for report in reports)
        for name in ("answered", "planned", "rejected", "negative", "early")
    )
    _say(f"answered: {counted(answered, 'request')}, {planned:,} planned")
    if answered > planned:
        _say(f"  {answered - planned:,} more than planned: what was refused for a Tweet in it was asked again in parts")
    if rejected:
        _say(f"  {counted(rejected, 'response')} did not pass the audit: kept in rejected/, and asked for again")
    if negative:
        _say(f"  {counted(negative, 'count')} below zero: kept, because people can undo what was counted")
    if early:
        _say(f"  {counted(early, 'count')} of hours before their Tweet was posted: kept, because the API gave them")


def show_news(words: Sequence[str]) -> None:
    """Print what the APIs have sent that is not documented."""
    if words:
        _say("news of the API, each told once; the view shapes has all of it:")
    for line in words:
        _say(f"  {line}")


def show_where_days_appear() -> None:
    """Print that Dagster will show the days of a pull, so that nobody pulls them again for that."""
    minutes = SHOWN_WITHIN // timedelta(minutes=1)
    _say(f"if Dagster runs on this lake, it shows each whole day within {minutes} minutes, without a request")


def show_rebuilt(rebuilt: Sequence[Rebuilt]) -> None:
    """Print the result for each table, and each day with damaged files or with rows that are no longer in raw."""
    for endpoint in dict.fromkeys(day.endpoint for day in rebuilt):
        days = [day for day in rebuilt if day.endpoint == endpoint]
        changed = sum(day.changed for day in days)
        _say(
            f"/{endpoint}, {days[0].day} to {days[-1].day}: {changed:,} of "
            f"{counted(sum(day.rows for day in days), 'row')} in {counted(len(days), 'day')} changed"
        )
        if gaps := sum(day.gaps for day in days):
            _say(
                f"  raw lacks published answers of {counted(gaps, 'Tweet day')}: what those answers told and revised "
                "stays as published"
            )
    if not rebuilt:
        _say("nothing has landed or is published for these days")
    for path in dict.fromkeys(path for day in rebuilt for path in day.damaged):
        _say(f"  {path} was damaged, and is made again")
    for day in rebuilt:
        if day.kept:
            kept = f"{counted(sum(day.kept.values()), 'row')} of {_named([*day.kept])}"
            _say(f"  {day.day}: {kept} kept as published, since raw no longer proves more")
        if day.lost:
            _say(
                f"  {day.day}: rows of {_named(day.lost)} are lost, because only a damaged or missing file held them: "
                "pull the day again"
            )


def show_upgraded(upgraded: Upgraded) -> None:
    """Print what an upgrade changed, and each damaged file that it left alone."""
    if upgraded.older == FORMAT:
        _say(f"the lake has format {FORMAT} already")
        return
    _say(
        f"format {upgraded.older} -> {FORMAT}: {counted(upgraded.days, 'day')} written anew, "
        f"{counted(upgraded.dropped, 'zero')} dropped of hours before their Tweet was posted"
    )
    for damage in upgraded.damaged:
        _say(f"  {damage}")


def show_spent(spent: Sequence[Spent], *, days: int) -> None:
    """Print which pulls retention no longer needs, by endpoint."""
    _say(f"published and begun more than {counted(days, 'day')} ago: {counted(len(spent), 'pull')}")
    for endpoint in sorted({each.pull.endpoint for each in spent}, key=str):
        of_endpoint = [each for each in spent if each.pull.endpoint == endpoint]
        begun = [each.pull.started_at.date() for each in of_endpoint]
        _say(
            f"  /{endpoint}: {counted(len(of_endpoint), 'pull')} of {begun[0]} to {begun[-1]}, "
            f"{counted(sum(each.responses for each in of_endpoint), 'response')}, "
            f"{sum(each.size for each in of_endpoint) / 1e6:,.1f} MB"
        )


def _named(tweets: Sequence[int]) -> str:
    """Return the number of Tweets, and their IDs."""
    return f"{counted(len(tweets), 'Tweet')} ({first_few(tweets, SHOWN_TWEETS)})"


def _by_reason(set_aside: dict[int, str]) -> dict[str, list[int]]:
    """Return the Tweets by reason. The reasons name the Tweets of one request, so the IDs are cut out of them."""
    by_reason: dict[str, list[int]] = {}
    for tweet_id, reason in sorted(set_aside.items()):
        by_reason.setdefault(shown(IDS.sub("…", reason)), []).append(tweet_id)
    return by_reason


def as_rows(table: pa.Table) -> Rows:
    """Return what is shown of a query's answer as a grid."""
    kinds = [field.type for field in table.schema]
    number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    columns = [column.to_pylist() for column in table.slice(0, SHOWN_ROWS).columns]
    return Rows(
        names=table.column_names,
        numbers=[any(is_one(kind) for is_one in number) for kind in kinds],
        first=[*zip(*columns, strict=True)],
        total=table.num_rows,
    )


def show_table(table: pa.Table, *, style: str, safe: bool = False, bom: bool = False) -> None:
    """Print a query's answer for programs, as csv, json, parquet or xlsx.

    JSON and Excel carry Tweet IDs and other large whole numbers as text, because they round them. For csv, `safe`
    writes ' before each text that would run as a formula, and `bom` begins with a byte-order mark.
    """
    if style == "json":
        json_rows.write(table, sys.stdout)
    elif style == "csv":
        flat = _unnested(table)
        if safe:
            flat = _with_texts(flat, lambda text: f"'{text}" if FORMULA.match(text) else text)
        if sys.stdout.isatty():
            flat = _with_texts(flat, printable)
        sys.stdout.flush()
        sys.stdout.buffer.write(codecs.BOM_UTF8 if bom else b"")
        pyarrow.csv.write_csv(flat, sys.stdout.buffer)
    elif sys.stdout.isatty():
        name = {"parquet": "Parquet", "xlsx": "A workbook"}[style]
        raise InputError(f"{name} is not for a terminal: send it to a file, as in engagement sql … > rows.{style}")
    elif style == "parquet":
        pq.write_table(table, pa.PythonFile(sys.stdout.buffer, mode="w"))
    else:
        from engagement_pipeline.cli import workbook  # noqa: PLC0415 - for this format alone

        workbook.write(_unnested(table), sys.stdout.buffer)


def _with_texts(table: pa.Table, change: Callable[[str], str]) -> pa.Table:
    """Return the table with all its texts changed, the names of its columns too."""
    for place, column in enumerate(table.columns):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
            values = (v.decode(errors="backslashreplace") if isinstance(v, bytes) else v for v in column.to_pylist())
            texts = pa.array([None if v is None else change(v) for v in values], pa.string())
            table = table.set_column(place, table.column_names[place], texts)
    return table.rename_columns([change(name) for name in table.column_names])


def _unnested(table: pa.Table) -> pa.Table:
    """Return the table with lists, structs and intervals as JSON text, because a CSV field cannot hold them."""
    for place, column in enumerate(table.schema):
        if pa.types.is_nested(column.type) or pa.types.is_interval(column.type):
            values = [
                None if v is None else json.dumps(as_json(v, column.name), ensure_ascii=False)
                for v in table[place].to_pylist()
            ]
            table = table.set_column(place, column.name, pa.array(values, pa.string()))
    return table
