"""The commands and their options.

In: nothing. Out: a parser. The parsed options hold `command`: the module of this folder, and the function in it, that
carry the command out. No library that only some commands need is imported before one of these runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.cli import arguments
from engagement_pipeline.core.endpoints import ENDPOINTS, OF_TWEETS
from engagement_pipeline.core.places import place
from engagement_pipeline.core.setting_values import BOTH
from engagement_pipeline.core.tables import REBUILDABLE

if TYPE_CHECKING:
    import argparse

EXPLORER_PORT = 8420
SHELLS = ("bash", "zsh", "fish")
FORMATS = ("table", "csv", "json", "parquet", "xlsx")  # of an answer in SQL
QUESTIONS = {  # of `engagement init`, by the setting that the answer becomes
    "requests_per_minute": "Requests a minute that your contract allows",
    "first_day": "First UTC day to pull",
    "history_days": "Days that your contract lets /historical go back, or Enter if it has no such limit",
}


def parser() -> arguments.Parser:
    """Return the parser of the whole command line."""
    whole = arguments.Parser(
        prog="engagement", description="The Engagement API as a lake that answers SQL. Settings: engagement config."
    )
    whole.add_argument("--version", action=arguments.Version, nargs=0, help="print the version, and end")
    arguments.add_common(whole)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _start,
        _accounts,
        _roster,
        _pulls,
        _answers,
        _pages,
        _catalog,
        _tables,
        _health,
        _emulator,
        _demo,
        _help,
    ):
        add(commands)
    return whole


def _start(commands: arguments.Commands) -> None:
    """Add the commands for somebody who starts."""
    text = "ask a few questions, and write accounts.toml, your settings and an example of a roster"
    sub = arguments.add_command(commands, "init", "init:run", text, reads_settings=False)
    for key, question in QUESTIONS.items():
        text = f"{question[0].lower()}{question[1:].partition(', or Enter')[0]}; with this option, it is not asked"
        sub.add_argument(f"--{key.replace('_', '-')}", metavar="DAY" if key == "first_day" else "N", help=text)
    text = "ask nothing: take the options and the defaults, and leave the keys in accounts.toml empty"
    sub.add_argument("--no-questions", action="store_true", help=text)

    text = "show each setting, its value, and the variable or file where it is set"
    sub = arguments.add_command(commands, "config", "config:run", text)
    sub.add_argument("--json", action="store_true", help="print one JSON object, for programs")


def _accounts(commands: arguments.Commands) -> None:
    """Add the commands for the accounts."""
    sub = arguments.add_command(
        commands,
        "authorize",
        "pulls:authorize",
        "let a handle give its tokens to the app, and write them to the accounts file",
    )
    sub.add_argument("handle", metavar="HANDLE", type=arguments.handle, help="the handle that logs in on the page")
    text = "get tokens of OAuth 2, which sign requests to X API v2 alone, and refresh themselves"
    sub.add_argument("--oauth2", action="store_true", help=text)

    sub = arguments.add_command(
        commands,
        "check",
        "pulls:check",
        "try each account with one cheap request; show which work, and to whom their tokens belong",
    )
    arguments.add_skipping(sub)
    arguments.add_over_budget(sub)


def _roster(commands: arguments.Commands) -> None:
    """Add the commands that write the roster."""
    text = "find the Tweets of the accounts, and keep them in files beside your own of the roster"
    roster = commands.add_parser("roster", help=text, description=text[0].upper() + text[1:] + ".")
    inner = roster.add_subparsers(required=True, metavar="COMMAND", help="what to do")

    text = "take in the Tweets of an account archive, the zip that X sends, or of the CSV that Premium exports"
    sub = arguments.add_command(inner, "import", "roster:take_in", text)
    sub.add_argument("file", metavar="FILE", type=Path, help="the archive, or account_analytics_content_….csv")

    text = "read the timelines of the accounts, since the newest Tweet that is known; tell the cost first, and ask"
    sub = arguments.add_command(inner, "sync", "roster:sync", text)
    text = "a handle to read; by default all of the accounts file"
    sub.add_argument("handles", metavar="HANDLE", nargs="*", type=arguments.handle, help=text)
    sub.add_argument("--yes", action="store_true", help="go on without asking; needed where there is no terminal")
    arguments.add_over_budget(sub)


def _pulls(commands: arguments.Commands) -> None:
    """Add plan and pull, which take the same options."""
    for name, command, text in (
        ("plan", "pulls:plan", "show the requests that a pull would send, and send none"),
        ("pull", "pulls:pull", "pull from an endpoint, publish what came and refresh the views"),
    ):
        sub = arguments.add_command(commands, name, command, text)
        hourly = " or ".join(map(str, OF_TWEETS.values()))
        sub.add_argument(
            "--source",
            choices=(*OF_TWEETS, BOTH),
            help="the API to ask for hours, or both in turn; by default the setting source",
        )
        sub.add_argument("--endpoint", choices=ENDPOINTS, help=f"endpoint of the API; by default {hourly}")
        arguments.add_days(
            sub,
            first="first UTC day of hours; by default the first of the look-back",
            last="last UTC day, included; by default the last day that is over",
        )
        arguments.add_ask_refused(sub)
        arguments.add_skipping(sub)
        if name == "pull":
            arguments.add_over_budget(sub)


def _answers(commands: arguments.Commands) -> None:
    """Add the commands that answer from the views over a lake, and say what is in them."""
    sub = arguments.add_command(
        commands,
        "sql",
        "answers:sql",
        "answer a query over the lake's views: engagements, daily, tweets, coverage and more",
    )
    text = "statements in DuckDB's SQL, with ; between them; by default, those of standard input"
    sub.add_argument("query", metavar="QUERY", nargs="?", help=text)
    sub.add_argument("-f", "--file", type=Path, metavar="FILE", help="read them from this file; - is standard input")
    sub.add_argument("--format", choices=FORMATS, default="table", help="how to print (default: table)")
    text = "with --format csv: write ' before a text that a spreadsheet would run as a formula"
    sub.add_argument("--safe-csv", action="store_true", help=text)
    text = "with --format csv: begin with a byte-order mark, without which Excel takes UTF-8 for another encoding"
    sub.add_argument("--bom", action="store_true", help=text)
    text = "allow any statement, and any file of this machine; by default, it only reads, and only the lake"
    sub.add_argument("--unsafe", action="store_true", help=text)
    arguments.add_paging(sub)

    text = "tell what the views hold: what one row is; with a NAME, the columns with their types and meanings"
    sub = arguments.add_command(commands, "tables", "explained:tables", text, reads_settings=False)
    sub.add_argument("table", metavar="NAME", nargs="?", help="a table or view; by default all, without their columns")
    sub.add_argument("--json", action="store_true", help="print JSON, for programs")
    arguments.add_paging(sub)

    text = "tell where one count comes from: the response, its place there, and what the count was before"
    sub = arguments.add_command(commands, "explain", "explained:explain", text)
    sub.add_argument("tweet", metavar="TWEET", type=arguments.positive, help="the Tweet's ID")
    text = "an engagement type with hours, such as impressions"
    types = sorted({name for endpoint in OF_TWEETS.values() for name in endpoint.types})
    sub.add_argument("type", metavar="TYPE", choices=types, help=text)
    sub.add_argument("day", metavar="DAY", type=arguments.day, help="the UTC day")
    sub.add_argument(
        "hour", metavar="HOUR", type=arguments.whole, choices=range(24), help="the UTC hour of the day, 0 to 23"
    )
    sub.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    arguments.add_paging(sub)


def _pages(commands: arguments.Commands) -> None:
    """Add the commands that show a lake in a browser."""
    text = "write one HTML file of a handle's month: what changed, charts, top Tweets, and what is missing and why"
    sub = arguments.add_command(commands, "report", "report:run", text)
    sub.add_argument("handle", metavar="HANDLE", type=arguments.handle, help="the handle")
    sub.add_argument("month", metavar="MONTH", type=arguments.month, help="the UTC month, for example 2026-01")
    text = "write it to this file; by default HANDLE-MONTH.html, here"
    sub.add_argument("--output", type=Path, metavar="FILE", help=text)

    text = "look at the lake in a browser: a page on this machine alone, with charts, tables and SQL; Ctrl-C ends it"
    sub = arguments.add_command(commands, "explore", "explore:run", text)
    text = f"port to listen on; 0 picks a free one (default: {EXPLORER_PORT})"
    sub.add_argument("--port", type=arguments.whole, default=EXPLORER_PORT, metavar="N", help=text)
    sub.add_argument(
        "--no-browser", dest="browser", action="store_false", help="print the address, and open no browser"
    )


def _catalog(commands: arguments.Commands) -> None:
    """Add the command that writes the views."""
    text = "write engagement.duckdb again, the views over the lake, or one for another place"
    sub = arguments.add_command(commands, "catalog", "answers:catalog", text)
    text = "where its readers find the lake; by default where the lake lies"
    sub.add_argument("--root", type=place, metavar="DIR", help=text)
    text = "write it to this file; by default into the lake in DIR"
    sub.add_argument("--output", type=Path, metavar="FILE", help=text)


def _tables(commands: arguments.Commands) -> None:
    """Add the commands for the tables and the raw of a lake."""
    sub = arguments.add_command(
        commands,
        "rebuild",
        "tables:rebuild",
        "make tables again from the responses that have landed, without a request",
    )
    sub.add_argument("--table", choices=REBUILDABLE, help="the table to make; by default all")
    arguments.add_days(
        sub,
        first="first UTC day; by default the first that is known",
        last="last UTC day, included; by default the last that is known",
    )

    text = "bring the files of a lake that an older program wrote to this one's format"
    arguments.add_command(commands, "upgrade", "tables:upgrade", text)

    sub = arguments.add_command(
        commands,
        "prune",
        "tables:prune",
        "list the responses that are published and older than keep_raw_days; remove them with --yes",
    )
    sub.add_argument("--yes", action="store_true", help="remove them; without it nothing is removed")

    text = "show what the lake holds of Tweets, and remove them from all of it for good; nothing brings them back"
    sub = arguments.add_command(commands, "forget", "forget:run", text)
    sub.add_argument("tweets", metavar="TWEET", nargs="*", type=arguments.positive, help="a Tweet's ID")
    text = "all Tweets that the lake knows to be of this handle"
    sub.add_argument("--handle", metavar="HANDLE", type=arguments.handle, help=text)
    sub.add_argument("--file", type=Path, metavar="FILE", help="the Tweets in this file, an ID a line")
    text = "remove them and ask nothing; without it, only a person at a terminal can say yes"
    sub.add_argument("--yes", action="store_true", help=text)
    sub.add_argument("--json", action="store_true", help="print the receipt as JSON, for programs")


def _health(commands: arguments.Commands) -> None:
    """Add the commands that look a lake over and change nothing."""
    text = "show the accounts, the roster, the lake, the last pulls and the next runs, on one screen"
    sub = arguments.add_command(commands, "status", "status:run", text)
    sub.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    text = "ask X how many Posts it counts as read this month, with the app's bearer token; this is one request"
    sub.add_argument("--vendor", action="store_true", help=text)

    sub = arguments.add_command(
        commands,
        "doctor",
        "health:doctor",
        "tell whether the lake is whole, and for each fault the command that mends it",
    )
    text = "read no response, and of the tables only what must agree: for every day, where raw is large"
    sub.add_argument("--quick", action="store_true", help=text)
    sub.add_argument("--json", action="store_true", help="print JSON, for machines")


def _emulator(commands: arguments.Commands) -> None:
    """Add the emulator."""
    sub = arguments.add_command(
        commands,
        "emulator",
        "emulated:emulator",
        "serve the Engagement API and X API v2 on this machine, for demos and tests",
        reads_settings=False,
    )
    sub.add_argument("--port", type=arguments.whole, required=True, help="port to listen on; 0 picks a free one")
    for name, what in (("--accounts", "credentials that it accepts"), ("--tweets", "roster of its world")):
        text = f"write the {what} to this file; overwrite only its own"
        sub.add_argument(name, type=Path, metavar="FILE", help=text)
    sub.add_argument("--now", type=arguments.moment, metavar="TIME", help="fix its clock, for example to 2026-02-01")
    sub.add_argument("--seed", type=arguments.whole, default=1, help="number of its world (default: 1)")
    _add_behaviour(sub)


def _add_behaviour(sub: argparse.ArgumentParser) -> None:
    """Add how the emulator's APIs behave: their rates, their age, what they refuse."""
    sub.add_argument(
        "--requests-per-minute",
        type=arguments.positive,
        default=300,
        metavar="N",
        help="the rate of the Engagement API (default: 300)",
    )
    sub.add_argument(
        "--requests-per-15-minutes",
        type=arguments.positive,
        default=300,
        metavar="N",
        help="the rate of the analytics of X API v2, for each account (default: 300)",
    )
    sub.add_argument(
        "--latency", type=arguments.seconds, default=0.0, metavar="SECONDS", help="wait before each answer (default: 0)"
    )
    sub.add_argument(
        "--settle-hours",
        type=arguments.whole,
        default=0,
        metavar="N",
        help="counts grow until an hour is this old (default: 0)",
    )
    sub.add_argument(
        "--max-age-days",
        type=arguments.positive,
        metavar="N",
        help="how far back /historical goes; by default to 2014-09-01",
    )
    sub.add_argument(
        "--require-gzip", action="store_true", help="refuse a request to the Engagement API that does not accept gzip"
    )


def _demo(commands: arguments.Commands) -> None:
    """Add the commands that run on the emulator."""
    sub = arguments.add_command(
        commands,
        "demo",
        "emulated:demo",
        "run the whole job on the emulator: no network, no credentials",
        reads_settings=False,
    )
    sub.add_argument(
        "--data", type=Path, metavar="DIR", default=Path("data/demo"), help="its lake (default: data/demo)"
    )
    text = "start Dagster on the emulator; Ctrl-C ends both"
    sub = arguments.add_command(commands, "up", "emulated:up", text, reads_settings=False)
    sub.add_argument("--data", type=Path, metavar="DIR", default=Path("data/up"), help="its lake (default: data/up)")
    sub.add_argument("--port", type=arguments.positive, default=3000, help="port of the Dagster UI (default: 3000)")


def _help(commands: arguments.Commands) -> None:
    """Add the commands that are about the others."""
    text = "print the script with which a shell completes the words of this command"
    sub = arguments.add_command(commands, "completion", "completion:run", text, reads_settings=False)
    sub.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"the shell: {', '.join(SHELLS)}")

    sub = arguments.add_command(commands, "help", "commands:explain", "explain a command", reads_settings=False)
    text = "the command to explain; by default, list all"
    sub.add_argument("topic", metavar="COMMAND", nargs="?", choices=[*commands.choices], help=text)
    arguments.add_paging(sub)


def explain(options: argparse.Namespace) -> None:
    """Print the help of a command, or of all."""
    parser().parse_args([*filter(None, [options.topic]), "--help"])
