"""The `engagement` command: arguments in, one library call, print.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed, 2 wrong use. No message
holds a known secret or a character that commands a terminal.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from engagement_pipeline.cli import INTERRUPTED, commands, failures
from engagement_pipeline.core.errors import QUERY_INTERRUPTED, EngagementError, refused_by_system

if TYPE_CHECKING:
    from collections.abc import Sequence

STOPPED = "interrupted; what a pull has landed is kept: run the same pull again to resume it"


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure prints one line on standard error."""
    failures.show_logs()
    options = argparse.Namespace(traceback=False, verbose=False, paged=False)
    try:
        commands.parser().parse_args(argv, options)
        failures.show_logs(verbose=options.verbose)
        _run(options)
        sys.stdout.flush()
    except EngagementError as error:
        return _failed(str(error), error.exit_code)
    except BrokenPipeError:  # the reader, for example `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        failures.end_output()
        return _failed(refused_by_system(error), EngagementError.exit_code)
    except KeyboardInterrupt:
        return _failed(STOPPED, INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort, since any may hold a secret
        if str(error) == QUERY_INTERRUPTED:  # in any of the queries that a command asks
            return _failed(STOPPED, INTERRUPTED)
        failures.show_mistake(error, where=options.traceback)
        return EngagementError.exit_code
    return 0


def _failed(message: str, code: int) -> int:
    failures.show_failure(message)
    return code


def _run(options: argparse.Namespace) -> None:
    module, function = options.command.split(":")
    command = getattr(import_module(f"engagement_pipeline.cli.{module}"), function)
    if not (options.paged and sys.stdout.isatty()):
        command(options)
        return
    from engagement_pipeline.cli import pager  # noqa: PLC0415 - for long output on a terminal

    with pager.paged():
        command(options)
