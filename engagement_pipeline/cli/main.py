"""The `engagement` command: arguments in, one library call, print.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed, 2 wrong use. No message
holds a known secret or a character that commands a terminal.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline import pipeline
from engagement_pipeline.cli import (
    INTERRUPTED,
    arguments,
    config,
    emulated,
    failures,
    health,
    init,
    output,
    progress,
    status,
)
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import ENDPOINTS, HISTORICAL
from engagement_pipeline.core.errors import EngagementError, InputError, refused_by_system
from engagement_pipeline.core.tables import REBUILDABLE
from engagement_pipeline.extract import plan_text
from engagement_pipeline.extract.prepare import Prepared, prepare
from engagement_pipeline.extract.progress import REQUESTS
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.transport import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure prints one line on standard error."""
    failures.show_logs()
    options = argparse.Namespace(traceback=False)
    try:
        _parser().parse_args(argv, options)
        options.command(options)
        sys.stdout.flush()
    except EngagementError as error:
        return _failed(str(error), error.exit_code)
    except BrokenPipeError:  # the reader, for example `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        failures.end_output()
        return _failed(refused_by_system(error), EngagementError.exit_code)
    except KeyboardInterrupt:
        return _failed("interrupted; what a pull has landed is kept: run the same pull again to resume it", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort, since any may hold a secret
        failures.show_mistake(error, where=options.traceback)
        return EngagementError.exit_code
    return 0


def _failed(message: str, code: int) -> int:
    failures.show_failure(message)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = arguments.Parser(
        prog="engagement", description="The Engagement API as a lake that answers SQL. Settings: engagement config."
    )
    version = f"%(prog)s {metadata.version('engagement-pipeline')}"
    parser.add_argument("--version", action="version", version=version, help="print the version, and end")
    arguments.add_traceback(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ours = (_account_commands, _pull_commands, _sql_commands, _table_commands, status.add_command, health.add_commands)
    for add in (init.add_command, config.add_command, *ours, emulated.add_commands):
        add(commands)
    return parser


def _account_commands(commands: arguments.Commands) -> None:
    """Add the commands for the accounts."""
    sub = arguments.add_command(
        commands,
        "authorize",
        _authorize,
        "let a handle give its tokens to the app, and write them to the accounts file",
    )
    sub.add_argument("handle", metavar="HANDLE", type=arguments.handle, help="the handle that logs in on the page")

    sub = arguments.add_command(
        commands,
        "check",
        _check,
        "try each account with one cheap request; show which work, and to whom their tokens belong",
    )
    arguments.add_skipping(sub)


def _pull_commands(commands: arguments.Commands) -> None:
    """Add plan and pull, which take the same options."""
    for name, command, text in (
        ("plan", _plan, "show the requests that a pull would send, and send none"),
        ("pull", _pull, "pull from an endpoint, publish what came and refresh the views"),
    ):
        sub = arguments.add_command(commands, name, command, text)
        sub.add_argument(
            "--endpoint",
            choices=ENDPOINTS,
            default=HISTORICAL.name,
            help=f"endpoint of the API (default: {HISTORICAL})",
        )
        arguments.add_days(
            sub,
            first=f"first UTC day of /{HISTORICAL}; by default the first of the look-back",
            last="last UTC day, included; by default the last day that is over",
        )
        arguments.add_skipping(sub)


def _sql_commands(commands: arguments.Commands) -> None:
    """Add the commands for the views over a lake."""
    sub = arguments.add_command(
        commands, "sql", _sql, "answer a query over the lake's views: engagements, daily, tweets, coverage and more"
    )
    sub.add_argument("query", metavar="QUERY", help="one statement in DuckDB's SQL")
    sub.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    text = "with --format csv: write ' before a text that a spreadsheet would run as a formula"
    sub.add_argument("--safe-csv", action="store_true", help=text)
    text = "allow any statement, and any file of this machine; by default, it only reads, and only the lake"
    sub.add_argument("--unsafe", action="store_true", help=text)

    sub = arguments.add_command(
        commands,
        "catalog",
        _catalog,
        "write engagement.duckdb again, the views over the lake, or one for another place",
    )
    text = "where its readers find the lake; by default where the lake lies"
    sub.add_argument("--root", type=Path, metavar="DIR", help=text)
    text = "write it to this file; by default into the lake in DIR"
    sub.add_argument("--output", type=Path, metavar="FILE", help=text)


def _table_commands(commands: arguments.Commands) -> None:
    """Add the commands for the tables and the raw of a lake."""
    sub = arguments.add_command(
        commands, "rebuild", _rebuild, "make tables again from the responses that have landed, without a request"
    )
    sub.add_argument("--table", choices=REBUILDABLE, help="the table to make; by default all")
    arguments.add_days(
        sub,
        first="first UTC day; by default the first that is known",
        last="last UTC day, included; by default the last that is known",
    )

    text = "bring the files of a lake that an older program wrote to this one's format"
    arguments.add_command(commands, "upgrade", _upgrade, text)

    sub = arguments.add_command(
        commands,
        "prune",
        _prune,
        "list the responses that are published and older than keep_raw_days; remove them with --yes",
    )
    sub.add_argument("--yes", action="store_true", help="remove them; without it nothing is removed")


def _prepared(options: argparse.Namespace, chosen: settings.Settings) -> Prepared:
    endpoint = ENDPOINTS[options.endpoint]
    if not endpoint.max_days and (options.first or options.last):
        raise InputError(f"/{endpoint} knows only the present: leave out --from and --to")
    last = options.last or chosen.last_whole_day()
    first = options.first or chosen.look_back_day(last)
    if endpoint.max_days and not options.first and chosen.oldest_day() <= last < chosen.first_day:
        raise InputError(
            f"{last} is before {chosen.first_day}, the setting first_day, so no look-back ends there: name the first "
            "day with --from"
        )
    return prepare(chosen, first, last, endpoint=endpoint)


def _settings(options: argparse.Namespace) -> settings.Settings:
    """Return the settings, with what the command line says of the roster, and less patience if somebody waits."""
    chosen = settings.load(config=options.config)
    minutes = chosen.patience_minutes
    if minutes is None and sys.stderr.isatty():
        minutes = min(settings.PATIENCE_AT_A_TERMINAL, chosen.patience())
    return replace(chosen, skip_bad_rows=chosen.skip_bad_rows or options.skip_bad_rows, patience_minutes=minutes)


def _authorize(options: argparse.Namespace) -> None:
    chosen = settings.load(config=options.config)
    tokens.authorize(
        chosen.accounts,
        options.handle,
        auth_url=chosen.auth_url,
        timeout_seconds=chosen.timeout_seconds,
        ask_pin=lambda url: output.ask_pin(url, handle=options.handle),
    )
    print(f"the tokens of {options.handle} are in {chosen.accounts}")


def _check(options: argparse.Namespace) -> None:
    findings = pipeline.check_accounts(_settings(options))
    output.show_findings(findings)
    failed = [finding.handle for finding in findings if finding.works is False]
    if failed:
        accounts_failed = sum(map(bool, failed))
        number = sum(bool(finding.handle) for finding in findings)
        what = [f"{accounts_failed} of {number} accounts"] if accounts_failed else []
        what += ["the bearer token"] if "" in failed else []
        raise EngagementError(f"{' and '.join(what)} cannot be used for a pull: see above")


def _plan(options: argparse.Namespace) -> None:
    chosen = _settings(options)
    output.show_plan(_prepared(options, chosen), per_minute=chosen.requests_per_minute)


def _pull(options: argparse.Namespace) -> None:
    chosen = _settings(options)
    prepared = _prepared(options, chosen)
    output.show_plan(prepared, per_minute=chosen.requests_per_minute)
    with progress.bars() as bar:
        outcome = pipeline.run(chosen, prepared, pulling=bar(REQUESTS), publishing=bar("Tweets published"))
    output.show_outcome(outcome)
    if outcome.publications and any(plan.window and plan.window.last >= chosen.first_day for plan in prepared.plans):
        output.show_where_days_appear()
    if outcome.failure:
        raise outcome.failure


def _sql(options: argparse.Namespace) -> None:
    if options.safe_csv and options.format != "csv":
        raise InputError("--safe-csv is for --format csv: leave it out, or add that")
    style = output.SAFE_CSV if options.safe_csv else options.format
    output.show_table(
        catalog.query(Lake(settings.load(config=options.config).data), options.query, unsafe=options.unsafe),
        style=style,
    )


def _catalog(options: argparse.Namespace) -> None:
    there = Lake((options.root or settings.load(config=options.config).data).absolute())
    if options.output:
        # Of a place that is not on this machine, the lake of the settings has the same views.
        lake = there if there.storage.exists(there.root) else Lake(settings.load(config=options.config).data)
        written = catalog.elsewhere(lake, root=there.root, output=options.output)
    else:
        there.open(create=False)
        written = catalog.refresh(there)
    print(f"{written}: views over the lake in {there.root}; open it read-only")


def _rebuild(options: argparse.Namespace) -> None:
    with progress.bars() as bar:
        rebuilt = pipeline.rebuild(
            settings.load(config=options.config),
            options.table,
            first=options.first,
            last=options.last,
            progress=bar("pulls replayed"),
        )
    output.show_rebuilt(rebuilt)
    lost = sum(len(day.lost) for day in rebuilt)
    if lost:
        raise EngagementError(
            f"rows of {plan_text.counted(lost, 'Tweet day')} are lost, because only damaged or missing files held "
            "them: pull the days named above again"
        )


def _upgrade(options: argparse.Namespace) -> None:
    with progress.bars() as bar:
        upgraded = pipeline.upgrade(settings.load(config=options.config), progress=bar("days upgraded"))
    output.show_upgraded(upgraded)
    if upgraded.damaged:
        raise EngagementError(
            f"{plan_text.counted(len(upgraded.damaged), 'file')} could not be upgraded, and stays as it is: see above"
        )


def _prune(options: argparse.Namespace) -> None:
    chosen = settings.load(config=options.config)
    spent = pipeline.spent(chosen)
    output.show_spent(spent, days=chosen.keep_raw_days)
    if options.yes:
        pipeline.drop(chosen, spent)
        print("removed; the tables are unchanged")
    elif spent:
        print("nothing is removed: engagement prune --yes removes them")
