"""`python -m engagement_pipeline` is the `engagement` command."""

from engagement_pipeline.cli import run

run()
