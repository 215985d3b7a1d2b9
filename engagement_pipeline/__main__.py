"""`engagement`, or `python -m engagement_pipeline`: the command line as a process."""

import sys


def run() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from engagement_pipeline.cli.main import main  # noqa: PLC0415 - Ctrl-C is one line during the imports too

        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("engagement: interrupted")


if __name__ == "__main__":
    run()
