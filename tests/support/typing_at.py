"""The command on a terminal of its own, with somebody who types."""

import os
import pty
import select
import subprocess
import sys

PATIENCE_SECONDS = 60  # for the next question; only a broken command uses it up


def terminal(arguments, answers, *, cwd, env=None):
    """Run the command; once a question holds the next key of `answers`, type its value. Return exit code and screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "engagement_pipeline", *arguments]
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        said, seen, left = "", 0, list(answers.items())
        while select.select([ours], [], [], PATIENCE_SECONDS)[0]:
            try:
                said += os.read(ours, 2**16).decode()
            except OSError:  # the other end is closed
                break
            if left and left[0][0] in said[seen:] and said.endswith(": "):
                seen = len(said)
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
        os.close(ours)
    return process.returncode, said
