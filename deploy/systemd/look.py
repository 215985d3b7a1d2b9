# ruff: noqa: INP001 - a script beside the units, no package
"""Tell a person, as of a failed run, where the code location, the daemon or PostgreSQL does not answer."""

import subprocess
import sys
from pathlib import Path

from engagement_pipeline.core import settings
from engagement_pipeline.observe import alert

BIN = Path(sys.executable).parent
LOOKS = {
    "the code location": "dagster api grpc-health-check --host 127.0.0.1 --port 4266",
    "the daemon or PostgreSQL": "dagster-daemon liveness-check",  # of the last half an hour
}

down = []
for what, command in LOOKS.items():
    program, *arguments = command.split()
    if subprocess.run([BIN / program, *arguments], check=False).returncode:
        down.append(what)
if down:
    lines = [f"engagement-pipeline: no answer from {' and '.join(down)}", "look: journalctl --unit 'engagement-*'"]
    alert.send(settings.load(), "\n".join(lines))
    sys.exit(1)
