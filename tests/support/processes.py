"""The command in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).parents[2]


def started(*arguments, **options):
    """Start the command in a process of its own, which heeds Ctrl-C also where the tests run in the background."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = ["env", "--default-signal=INT", sys.executable, "-m", "engagement_pipeline", *arguments]
    return subprocess.Popen(command, cwd=CLONE, env=buffered, stderr=subprocess.PIPE, text=True, **options)
