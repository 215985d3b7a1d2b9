"""The `engagement` command.

In: arguments. Out: one library call, then text.
May import: every room.
"""

INTERRUPTED = 130  # the exit code, as shells count a SIGINT
