"""The files of a lake.

In: bytes and Arrow tables. Out: files that are whole or absent, and what lies where.
May import: core.
"""
