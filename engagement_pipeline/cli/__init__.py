"""The `engagement` command.

In: arguments. Out: one library call, then text.
May import: every room.
"""
